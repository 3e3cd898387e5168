#include "agent/board.hpp"

#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.hpp"

namespace starling::agent {
namespace {

// Device-tree strings end with a zero byte, other files with a line feed; an absent file is an empty fact.
std::string board_fact(const std::filesystem::path& path) {
  constexpr std::size_t max_fact_bytes = 16 * 1024;
  std::string text = read_file(path, max_fact_bytes).value_or("");
  while (!text.empty() && (text.back() == '\0' || text.back() == '\n'))
    text.pop_back();
  return text;
}

std::string pretty_name(const std::string& os_release) {
  constexpr std::string_view name = "PRETTY_NAME=\"";
  const auto start = os_release.find(name);
  if (start == std::string::npos) return "Linux";
  const auto from = start + name.size();
  return os_release.substr(from, os_release.find('"', from) - from);
}

}  // namespace

std::string device_type_of(std::string_view model) {
  model = model.substr(0, model.find(" Rev "));
  std::string type;
  for (const char c : model) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (c >= 'A' && c <= 'Z') {
      type += static_cast<char>(c - 'A' + 'a');
    } else if (plain) {
      type += c;
    } else if (!type.empty() && type.back() != '-') {
      type += '-';
    }
  }
  while (!type.empty() && type.back() == '-')
    type.pop_back();
  // The documents write the model's letter at its number: zero-2w.
  const auto size = type.size();
  if (size > 3 && type.ends_with("-w") && type[size - 3] >= '0' && type[size - 3] <= '9')
    type.erase(size - 2, 1);
  return type;
}

Board read_board(const std::filesystem::path& root) {
  Board board;
  const std::filesystem::path tree = root / "proc/device-tree";
  const char* chosen = std::getenv("STARLING_BOARD_SERIAL");
  board.serial = chosen != nullptr ? chosen : board_fact(tree / "serial-number");
  if (board.serial.empty()) board.serial = board_fact(root / "etc/machine-id");
  board.boot_id = board_fact(root / "proc/sys/kernel/random/boot_id");

  utsname system{};
  ::uname(&system);
  const std::string model = board_fact(tree / "model");
  board.device_type = model.empty() ? std::string("linux-") + system.machine : device_type_of(model);
  board.metadata["hardware"] = model.empty() ? std::string(system.machine) : model;
  board.metadata["os"] = pretty_name(board_fact(root / "etc/os-release"));
  board.metadata["kernel"] = std::string(system.release);
  board.metadata["architecture"] = std::string(system.machine);
  struct sysinfo memory {};
  if (::sysinfo(&memory) == 0) {
    board.metadata["memory_mb"] =
        static_cast<std::int64_t>(std::uint64_t{memory.totalram} * memory.mem_unit >> 20);
  }
  board.metadata["cpus"] = static_cast<std::int64_t>(::sysconf(_SC_NPROCESSORS_ONLN));
  return board;
}

}  // namespace starling::agent
