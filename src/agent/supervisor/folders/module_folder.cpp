#include "agent/supervisor/folders/module_folder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <system_error>

#include "base/files.hpp"
#include "base/printable_text.hpp"
#include "base/trimmed.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

bool equal_but_for_case(std::string_view a, std::string_view lower_case) {
  return std::ranges::equal(a, lower_case, [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? static_cast<char>(x - 'A' + 'a') : x) == y;
  });
}

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

// The value of a line `enabled = VALUE # comment`, within that line; nullopt if it is another line.
std::optional<std::string_view> enabled_value(std::string_view line) {
  if (line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return {};
  if (!equal_but_for_case(trimmed(line.substr(0, equals)), "enabled")) return {};
  const std::string_view rest = line.substr(equals + 1);
  const std::string_view value = trimmed(rest.substr(0, rest.find_first_of("#;")));
  return value.empty() ? rest.substr(0, 0) : value;
}

// A line that somebody wanted to be one, such as `enabled: true`.
bool lacks_its_sign(std::string_view line) {
  constexpr std::string_view name = "enabled";
  if (line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
  line = trimmed(line);
  if (line.find('=') != std::string_view::npos || !equal_but_for_case(line.substr(0, name.size()), name))
    return false;
  std::string_view rest = trimmed(line.substr(name.size()));
  const bool is_word = rest.empty() || rest.data() != line.data() + name.size();
  const bool has_colon = rest.starts_with(':');
  if (has_colon) rest = trimmed(rest.substr(1));
  return (is_word || has_colon) &&
         (rest.empty() || equal_but_for_case(rest, "true") || equal_but_for_case(rest, "false"));
}

template <typename Line>
void for_each_line(std::string_view text, Line&& line) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1) + 1;  // its line feed belongs to it
    line(text.substr(0, end));
    text.remove_prefix(end);
  }
}

// One that is cut must not look like a valid one.
std::string shown_name(std::string_view name) {
  constexpr std::size_t longest = 64;
  return name.size() > longest ? printable_text(name, longest - 1) + "…" : printable_text(name, longest);
}

FoundModule broken(const fs::path& folder, std::string_view name, std::string why) {
  const std::string shown = shown_name(name);
  return {.name = shown,
          .folder = (folder / name).string(),
          .manifest = fail(ErrorCode::invalid_argument, shown + ": " + why),
          .enabled = std::nullopt,
          .manifest_text = {}};
}

std::string stamp_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return {};
  return fmt::format("{} {}.{}", status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

Result<ModuleManifest> manifest_of(const Result<std::string>& text, const fs::path& folder,
                                   std::string_view name, const AccountLookup& accounts) {
  if (!text && text.error().code == ErrorCode::not_found) {
    return fail(
        ErrorCode::not_found,
        fmt::format("{0}/module.toml is missing: write one that names the program, exec = \"PROGRAM\", "
                    "or move the folder away if it is no module",
                    name));
  }
  if (!text) return fail(text, name);
  return parse_manifest(*text, name, folder.string(), accounts);
}

}  // namespace

Result<std::optional<bool>> enabled_in(std::string_view config) {
  if (config.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "config.txt is no UTF-8 text: save it as such");
  }
  std::optional<bool> enabled;
  std::optional<Error> error;
  int number = 0;
  for_each_line(config, [&](std::string_view line) {
    ++number;
    line = line.substr(0, line.find('\n'));
    const auto value = enabled_value(line);
    if (error) return;
    if (!value && lacks_its_sign(line)) {
      error = Error{ErrorCode::invalid_argument,
                    fmt::format("config.txt:{}: '{}' says nothing: write enabled = true or enabled = false",
                                number, printable_text(trimmed(line), 64)),
                    {}};
    }
    if (!value) return;
    if (equal_but_for_case(*value, "true")) {
      enabled = true;
    } else if (equal_but_for_case(*value, "false")) {
      enabled = false;
    } else {
      error = Error{ErrorCode::invalid_argument,
                    fmt::format("config.txt:{}: enabled is '{}', but must be true or false", number,
                                printable_text(*value, 64)),
                    {}};
    }
  });
  if (error) return std::unexpected(*std::move(error));
  return enabled;
}

std::string config_with_enabled(std::string_view config, bool enabled) {
  const std::string_view word = enabled ? "true" : "false";
  std::string changed;
  bool said = false;
  for_each_line(config, [&](std::string_view line) {
    const std::string_view text = line.substr(0, line.find('\n'));
    const auto value = enabled_value(text);
    if (!value && lacks_its_sign(text)) {
      said = true;
      changed.append("enabled = ").append(word).append(line.substr(text.size()));
      return;
    }
    if (!value) {
      changed += line;
      return;
    }
    said = true;
    const auto before = static_cast<std::size_t>(value->data() - line.data());
    changed.append(line.substr(0, before)).append(word).append(line.substr(before + value->size()));
  });
  if (!said) {
    if (!changed.empty() && !changed.ends_with('\n')) changed += '\n';
    changed.append("enabled = ").append(word).append("\n");
  }
  return changed;
}

Result<std::optional<bool>> read_enabled(const fs::path& module_folder) {
  const auto text = read_foreign_file(module_folder / "config.txt", max_config_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return std::nullopt;
  if (!text) return fail(text);
  return enabled_in(*text);
}

Result<void> write_enabled(const fs::path& module_folder, bool enabled) {
  const fs::path path = module_folder / "config.txt";
  const auto text = read_foreign_file(path, max_config_bytes);
  if (!text && text.error().code != ErrorCode::not_found) return fail(text);
  const std::string before = text.value_or("");
  const std::string after = config_with_enabled(before, enabled);
  if (text && before == after) return {};

  std::error_code error;
  const auto mode = fs::status(path, error).permissions();
  const unsigned kept = error || !text ? 0644u : static_cast<unsigned>(mode & fs::perms::mask);
  // A link is written through: the person who made it wants the file behind it.
  const fs::path target = fs::canonical(path, error);
  return write_file_durably(error ? path : target, after, kept);
}

bool may_be_module(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::is_directory(status) || (!fs::exists(status) && fs::is_symlink(path, error));
}

FoundModule find_module(const fs::path& folder, std::string_view name, const AccountLookup& accounts) {
  if (!valid_module_name(name)) {
    return broken(folder, name,
                  fmt::format("a module's folder is named with {}; rename it", protocol::module_name_rule));
  }
  std::error_code error;
  fs::path absolute = fs::absolute(folder, error);
  const fs::path module = ((error ? folder : absolute) / name).lexically_normal();
  if (fs::is_symlink(module, error) && !fs::exists(module, error)) {
    const std::string target = printable_text(fs::read_symlink(module, error).string(), 200);
    return broken(
        folder, name,
        fmt::format("it is a link to {}, which is not there: put it back, or remove the link", target));
  }
  // Read once: somebody may be writing it.
  const auto text = read_foreign_file(module / "module.toml", max_manifest_bytes);
  return {.name = std::string(name),
          .folder = module.string(),
          .manifest = manifest_of(text, module, name, accounts),
          .enabled = read_enabled(module),
          .manifest_text = sha256(text ? *text : text.error().message),
          .stamp = stamp_of(module / "module.toml")};
}

FoundModule one_too_many(const fs::path& folder, std::string_view name) {
  FoundModule found = broken(
      folder, name,
      fmt::format("there are {} modules besides, which is as many as can be: take one away", max_modules));
  if (valid_module_name(name)) found.enabled = read_enabled(folder / name);
  found.too_many = true;
  return found;
}

Result<std::vector<FoundModule>> find_modules(const fs::path& folder, const AccountLookup& accounts) {
  std::error_code error;
  std::vector<std::string> names;
  auto entry = fs::directory_iterator(folder, error);
  for (; !error && entry != fs::directory_iterator() && names.size() < max_module_folders;
       entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!name.starts_with('.') && may_be_module(entry->path())) names.push_back(std::move(name));
  }
  if (error) {
    const ErrorCode code = error == std::errc::no_such_file_or_directory ? ErrorCode::not_found
                           : error == std::errc::permission_denied       ? ErrorCode::permission_denied
                                                                         : ErrorCode::io;
    return fail(code, fmt::format("reading the folder of modules {}: {}", folder.string(), error.message()));
  }
  std::ranges::sort(names);
  std::vector<FoundModule> modules;
  for (const std::string& name : names) {
    modules.push_back(modules.size() < max_modules ? find_module(folder, name, accounts)
                                                   : one_too_many(folder, name));
  }
  return modules;
}

}  // namespace starling::agent
