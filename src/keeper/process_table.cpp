#include "keeper/process_table.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "base/process_stat.hpp"

namespace starling::keeper {
namespace {

template <typename Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

std::optional<ProcessEntry> entry_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  char text[1024];
  const ssize_t size = ::read(file.number(), text, sizeof(text));
  if (size <= 0) return std::nullopt;
  return parse_process_stat(std::string_view(text, static_cast<std::size_t>(size)));
}

}  // namespace

std::uint64_t start_time_of(pid_t pid) {
  const std::optional<ProcessEntry> process = entry_of(pid);
  return process ? process->start_time : 0;
}

bool lives(pid_t pid, std::uint64_t start) {
  const std::optional<ProcessEntry> process = entry_of(pid);
  return process && process->start_time == start && process->alive();
}

std::vector<OwnChild> own_children() {
  std::vector<OwnChild> children;
  const pid_t self = ::getpid();
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir("/proc"));
  while (folder) {
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const auto pid = to_number<pid_t>(std::string_view(entry->d_name, std::strlen(entry->d_name)));
    if (!pid) continue;
    const std::optional<ProcessEntry> process = entry_of(*pid);
    if (process && process->parent == self) children.push_back({*pid, process->alive()});
  }
  return children;
}

}  // namespace starling::keeper
