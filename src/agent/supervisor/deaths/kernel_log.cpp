#include "agent/supervisor/deaths/kernel_log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace starling::agent {
namespace {

template <typename Number>
std::optional<Number> number_after(std::string_view text, std::string_view before) {
  const auto at = text.find(before);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + before.size());
  Number number{};
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) return {};
  return number;
}

}  // namespace

std::optional<std::int32_t> oom_killed_pid(std::string_view record) {
  // The user part of a record is not the kernel's: "<priority>,<sequence>,...;text". Facility 0 is the
  // kernel.
  const auto text = record.find(';');
  int priority = 0;
  const auto parsed = std::from_chars(record.data(), record.data() + record.size(), priority);
  constexpr int levels = 8;
  if (text == std::string_view::npos || parsed.ec != std::errc{} || priority >= levels) return {};
  // "Memory cgroup out of memory: Killed process" is the other one.
  const std::string_view message = record.substr(text + 1);
  if (message.find("ut of memory") == std::string_view::npos) return {};
  return number_after<std::int32_t>(message, "Killed process ");
}

std::optional<std::uint64_t> oom_kills_in(std::string_view vmstat) {
  return number_after<std::uint64_t>(vmstat, "\noom_kill ");
}

KernelLog::KernelLog(const std::filesystem::path& device)
    : device_(::open(device.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)) {
  if (device_ && ::lseek(device_.number(), 0, SEEK_END) < 0) device_.reset();
}

void KernelLog::read_new() {
  constexpr int most_records = 2'000;
  constexpr std::size_t most_kept = 64;
  char record[8192];  // a record is never longer
  for (int i = 0; device_ && i < most_records; ++i) {
    const ssize_t size = ::read(device_.number(), record, sizeof record);
    if (size < 0 && (errno == EINTR || errno == EPIPE)) continue;  // EPIPE: records were lost
    if (size <= 0) return;
    if (const auto pid = oom_killed_pid({record, static_cast<std::size_t>(size)})) killed_.push_back(*pid);
    if (killed_.size() > most_kept) killed_.pop_front();
  }
}

bool KernelLog::killed_for_memory(std::int32_t pid) {
  read_new();
  const auto found = std::ranges::find(killed_, pid);
  if (found == killed_.end()) return false;
  killed_.erase(found);  // the number may be used again
  return true;
}

}  // namespace starling::agent
