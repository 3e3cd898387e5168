#include "keeper/start_counter.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/file_descriptor.hpp"

namespace starling::keeper {
namespace {

std::string read_start(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char text[256];
  const ssize_t size = file ? ::read(file.number(), text, sizeof(text)) : 0;
  return {text, size > 0 ? static_cast<std::size_t>(size) : 0};
}

// Afterwards either the old or the new text is there, whatever happens. 0, or errno.
int replace_durably(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  const std::string folder = path.substr(0, path.rfind('/'));
  {
    const FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return errno;
    const ssize_t written = ::write(file.number(), text.data(), text.size());
    if (written < 0) return errno;
    if (written != static_cast<ssize_t>(text.size())) return ENOSPC;
    if (::fsync(file.number()) != 0) return errno;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return errno;
  const FileDescriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return parent && ::fsync(parent.number()) == 0 ? 0 : errno;
}

std::uint32_t value_of(std::string_view text, std::string_view key) {
  const std::size_t found = text.find(key);
  if (found == std::string_view::npos) return 0;
  std::uint32_t value = 0;
  std::from_chars(text.data() + found + key.size(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string to_text(const StartCounts& counts) {
  return "starts=" + std::to_string(counts.starts) + "\ncrashes=" + std::to_string(counts.crashes) +
         "\nunrecorded=" + std::to_string(counts.unrecorded) + "\nrunning=" + (counts.running ? "1" : "0") +
         "\n";
}

StartCounts parse_start_counts(std::string_view text) {
  return {value_of(text, "starts="), value_of(text, "crashes="), value_of(text, "unrecorded="),
          value_of(text, "running=") == 1};
}

StartCounter::StartCounter(std::string file, const Log& log) : file_(std::move(file)), log_(log) {
  counts_ = parse_start_counts(read_start(file_));
  if (counts_.running) ++counts_.unrecorded;
  counts_.running = false;
}

void StartCounter::starting() {
  ++counts_.starts;
  counts_.running = true;
  save();
}

void StartCounter::ended(bool crashed) {
  if (crashed) ++counts_.crashes;
  counts_.running = false;
  save();
}

void StartCounter::healthy() {
  counts_ = StartCounts{.running = counts_.running};
  save();
}

void StartCounter::save() const {
  const int error = replace_durably(file_, to_text(counts_));
  if (error != 0) {
    log_.error("the starts of the agent cannot be saved; after a power cut they are not known",
               {{"file", file_}, {"error", std::strerror(error)}});
  }
}

}  // namespace starling::keeper
