#include "agent/supervisor/deaths/exec_failure.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/printable_text.hpp"
#include "base/trimmed.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view elf =
    "\x7f"
    "ELF";
constexpr std::size_t shown_bytes = 200;

std::string shown(std::string_view text) {
  return printable_text(text, shown_bytes);
}

std::string head_of(const fs::path& file) {
  std::string head(program_head_bytes, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
  return head;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool has_x_bit(const fs::path& file) {
  constexpr auto any = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  std::error_code error;
  return (fs::status(file, error).permissions() & any) != fs::perms::none;
}

// Where a shell would find it; empty: nowhere.
std::string in_path(std::string_view name) {
  const char* variable = std::getenv("PATH");
  std::string_view folders = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
  while (!folders.empty() && !name.empty()) {
    const auto end = std::min(folders.find(':'), folders.size());
    const fs::path file = fs::path(folders.substr(0, end)) / name;
    if (file.is_absolute() && is_file(file) && has_x_bit(file)) return file.string();
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
  return {};
}

// What the manifest says, as far as it lies in the module's folder.
std::string_view as_written(const ModuleManifest& manifest) {
  const std::string_view exec = manifest.exec;
  const std::string folder = manifest.folder + "/";
  return exec.starts_with(folder) ? exec.substr(folder.size()) : exec;
}

// "-c run.sh" → "\"-c\", \"run.sh\"".
std::string quoted_words(std::string_view text) {
  std::string words;
  while (!(text = trimmed(text)).empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    words += fmt::format("{}\"{}\"", words.empty() ? "" : ", ", word);
    text.remove_prefix(word.size());
  }
  return words;
}

std::string explain_missing(const ModuleManifest& manifest) {
  std::error_code error;
  if (fs::is_symlink(manifest.exec, error)) {
    return fmt::format("it is a link to {}, which does not exist",
                       shown(fs::read_symlink(manifest.exec, error).string()));
  }
  const std::string_view written = as_written(manifest);
  const std::string_view program = written.substr(0, written.find(' '));
  const bool bare = program.find('/') == std::string_view::npos;
  const std::string found = bare ? in_path(program) : std::string();
  const bool there = is_file(fs::path(manifest.folder) / program);  // also where it is absolute
  const std::string meant = there || found.empty() ? std::string(program) : found;
  if (program.size() < written.size() && (there || !found.empty())) {
    return fmt::format(
        "exec is one program, and what follows it belongs into args: exec = \"{}\", args = [{}]",
        shown(meant), quoted_words(shown(written.substr(program.size() + 1))));
  }
  if (!found.empty()) {
    return fmt::format("it does not exist: PATH is not searched; write exec = \"{}\"", shown(found));
  }
  return written.starts_with('/') ? "it does not exist: install it, or correct exec in module.toml"
                                  : "it does not exist; exec is looked for in the module's folder";
}

std::string explain_interpreter(const ModuleManifest& manifest, std::string_view interpreter) {
  if (interpreter.ends_with('\r')) {
    return fmt::format("its lines end as on Windows, so that '{}\\r' is looked for: sed -i 's/\\r$//' {}",
                       shown(interpreter.substr(0, interpreter.size() - 1)), shown(manifest.exec));
  }
  if (!interpreter.starts_with('/')) {
    return fmt::format(
        "its first line names '{}': an interpreter needs its whole path, for instance "
        "#!/usr/bin/env {}",
        shown(interpreter), shown(fs::path(interpreter).filename().string()));
  }
  if (!is_file(interpreter)) {
    return fmt::format(
        "its first line names the interpreter {}, which does not exist: install it, or correct "
        "the line",
        shown(interpreter));
  }
  if (!has_x_bit(interpreter)) {
    return fmt::format("its interpreter {} may not be executed", shown(interpreter));
  }
  return {};
}

std::string explain_forbidden(const ModuleManifest& manifest) {
  std::error_code error;
  if (fs::is_directory(manifest.exec, error)) return "it is a folder: name the program in it";
  if (fs::exists(manifest.exec, error) && !is_file(manifest.exec)) {
    return "it is no file that can be executed: name the program itself";
  }
  if (is_file(manifest.exec) && !has_x_bit(manifest.exec)) {
    return fmt::format("it is not marked as executable: chmod +x {}", shown(manifest.exec));
  }
  struct statvfs mounted {};
  if (::statvfs(manifest.exec.c_str(), &mounted) == 0 && (mounted.f_flag & ST_NOEXEC) != 0) {
    return "it lies on a file system that is mounted noexec";
  }
  if (std::string why = explain_interpreter(manifest, interpreter_of(head_of(manifest.exec))); !why.empty()) {
    return why;
  }
  return fmt::format(
      "permission denied: user {} has to be allowed to execute it, and to enter each folder "
      "above it",
      manifest.account ? "'" + manifest.account->name + "'" : "of the keeper");
}

std::string explain_format(const ModuleManifest& manifest) {
  const std::string head = head_of(manifest.exec);
  if (head.starts_with(elf)) {
    utsname machine{};
    ::uname(&machine);
    return fmt::format("it was built for another kind of processor than this one ({})",
                       std::string_view(machine.machine));
  }
  if (head.empty()) return "it is empty";
  if (head.starts_with("\xef\xbb\xbf#!")) {
    return "a byte order mark stands before its #!: save it as UTF-8 without one";
  }
  return "it is neither a program nor a script whose first line begins with #!, for instance #!/bin/sh";
}

}  // namespace

std::string_view interpreter_of(std::string_view head) {
  if (!head.starts_with("#!")) return {};
  std::string_view line = head.substr(2, head.find('\n') - 2);
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  return line.substr(0, line.find_first_of(" \t"));
}

std::string explain_exec(const ModuleManifest& manifest, int error) {
  switch (error) {
    case ENOENT:
      if (!is_file(manifest.exec)) return explain_missing(manifest);
      if (const std::string head = head_of(manifest.exec); head.starts_with("#!")) {
        return explain_interpreter(manifest, interpreter_of(head));
      }
      return "the loader that it was built for does not exist here: it is a program for another system";
    case EACCES: return explain_forbidden(manifest);
    case ENOEXEC: return explain_format(manifest);
    default: return {};
  }
}

}  // namespace starling::agent
