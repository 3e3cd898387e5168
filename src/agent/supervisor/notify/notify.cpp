#include "agent/supervisor/notify/notify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

using Microseconds = NotifyMessage::Microseconds;

void tell(NotifyMessage& message, std::string_view name, std::string_view value, std::string_view wanted) {
  if (!message.problem.empty()) return;
  message.problem = fmt::format("sd_notify: {}={} is ignored: {}", name, printable_text(value, 64), wanted);
}

template <typename Number>
std::optional<Number> number_of(std::string_view text, Number low, Number high) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < low || value > high) return {};
  return value;
}

std::optional<std::int32_t> small(NotifyMessage& message, std::string_view name, std::string_view value,
                                  std::int32_t low, std::int32_t high) {
  const auto number = number_of<std::int32_t>(value, low, high);
  if (!number) tell(message, name, value, fmt::format("a number from {} to {} is needed", low, high));
  return number;
}

std::optional<Microseconds> duration(NotifyMessage& message, std::string_view name, std::string_view value) {
  // What lies above is meant as "never"; a tenth of the range leaves room for sums with clocks.
  constexpr std::uint64_t never = std::uint64_t{std::numeric_limits<std::int64_t>::max()} / 10'000;
  const auto number = number_of<std::uint64_t>(value, 0, std::numeric_limits<std::uint64_t>::max());
  if (!number) {
    tell(message, name, value, "a number of microseconds is needed");
    return {};
  }
  return Microseconds(static_cast<std::int64_t>(std::min(*number, never)));
}

void flag(NotifyMessage& message, bool& target, std::string_view name, std::string_view value) {
  if (value == "1") {
    target = true;
  } else {
    tell(message, name, value, "only 1 has a meaning");
  }
}

void watchdog(NotifyMessage& message, std::string_view value) {
  if (value == "1") {
    message.watchdog = NotifyWatchdog::alive;
  } else if (value == "trigger") {
    message.watchdog = NotifyWatchdog::trigger;
  } else {
    tell(message, "WATCHDOG", value, "only 1 and trigger have a meaning");
  }
}

void recording(NotifyMessage& message, std::string_view value) {
  if (value == "idle") {
    message.recording = NotifyRecording::idle;
  } else if (value == "recording") {
    message.recording = NotifyRecording::recording;
  } else {
    tell(message, "X_STATE", value, "only idle and recording have a meaning");
  }
}

void assign(NotifyMessage& message, std::string_view name, std::string_view value) {
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max();
  if (name == "READY") return flag(message, message.ready, name, value);
  if (name == "RELOADING") return flag(message, message.reloading, name, value);
  if (name == "STOPPING") return flag(message, message.stopping, name, value);
  if (name == "BARRIER") return flag(message, message.barrier, name, value);
  if (name == "FDSTORE") return flag(message, message.fd_store, name, value);
  if (name == "WATCHDOG") return watchdog(message, value);
  if (name == "X_STATE") return recording(message, value);
  if (name == "STATUS") message.status = printable_text(value, max_status_bytes);
  if (name == "MONOTONIC_USEC") message.reload_time = duration(message, name, value);
  if (name == "WATCHDOG_USEC") message.watchdog_time = duration(message, name, value);
  if (name == "EXTEND_TIMEOUT_USEC") message.extend_timeout = duration(message, name, value);
  if (name == "MAINPID") message.main_pid = small(message, name, value, 1, most);
  if (name == "ERRNO") message.error_number = small(message, name, value, 0, 4095);
  if (name == "EXIT_STATUS") message.exit_status = small(message, name, value, 0, 255);
}

}  // namespace

Result<NotifyMessage> parse_notify(std::string_view datagram) {
  if (datagram.size() > max_notify_bytes) {
    return fail(ErrorCode::too_large, fmt::format("an sd_notify message of {} bytes; {} are allowed",
                                                  datagram.size(), max_notify_bytes));
  }
  // Programs that send their terminating zero byte along are common.
  while (datagram.ends_with('\0'))
    datagram.remove_suffix(1);
  if (datagram.empty()) return fail(ErrorCode::invalid_argument, "an empty sd_notify message");
  if (datagram.find('\0') != std::string_view::npos)
    return fail(ErrorCode::invalid_argument, "an sd_notify message with a zero byte in it");

  NotifyMessage message;
  while (!datagram.empty()) {
    const std::string_view line = datagram.substr(0, datagram.find('\n'));
    datagram.remove_prefix(std::min(line.size() + 1, datagram.size()));
    const auto equals = line.find('=');
    if (equals != std::string_view::npos) {
      assign(message, line.substr(0, equals), line.substr(equals + 1));
    } else if (!line.empty() && message.problem.empty()) {
      message.problem =
          fmt::format("sd_notify: '{}' is ignored: NAME=VALUE is needed", printable_text(line, 64));
    }
  }
  return message;
}

}  // namespace starling::agent
