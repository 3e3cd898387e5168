#include "keeper/process_table.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>

#include "base/file_descriptor.hpp"

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

std::string_view take_word(std::string_view& text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

std::optional<ProcessStatus> parse_process_status(std::string_view text) {
  // Field 2 is the name in brackets, which may hold blanks and brackets itself.
  const std::size_t bracket = text.rfind(')');
  if (bracket == std::string_view::npos || bracket + 2 > text.size()) return std::nullopt;
  text.remove_prefix(bracket + 2);
  std::array<std::string_view, 20> fields;  // from field 3 on
  for (std::string_view& field : fields)
    field = take_word(text);
  const auto parent = to_number<pid_t>(fields[1]);
  const auto start = to_number<std::uint64_t>(fields[19]);
  if (fields[0].size() != 1 || !parent || !start) return std::nullopt;
  return ProcessStatus{fields[0].front(), *parent, *start};
}

std::optional<ProcessStatus> status_of(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  char text[1024];
  const ssize_t size = ::read(file.number(), text, sizeof(text));
  if (size <= 0) return std::nullopt;
  return parse_process_status(std::string_view(text, static_cast<std::size_t>(size)));
}

std::uint64_t start_time_of(pid_t pid) {
  const std::optional<ProcessStatus> status = status_of(pid);
  return status ? status->start : 0;
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
    const std::optional<ProcessStatus> status = status_of(*pid);
    if (status && status->parent == self)
      children.push_back({*pid, status->state != 'Z' && status->state != 'X'});
  }
  return children;
}

}  // namespace starling::keeper
