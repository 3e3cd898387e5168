// Purpose: what a module says by sd_notify (systemd's protocol of NOTIFY_SOCKET), read from one datagram.
// Owner: values. Thread: any. Lifetime: none.
//
// A module is never trusted: a wrong value is left out and told as `problem`, the rest of the message counts.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling::agent {

enum class NotifyWatchdog { silent, alive, trigger };  // trigger: the module itself says that it is broken
enum class NotifyRecording { unsaid, idle, recording };

struct NotifyMessage {
  using Microseconds = std::chrono::microseconds;

  bool ready = false;
  bool reloading = false;
  bool stopping = false;
  bool barrier = false;   // the sender waits until the descriptor that came with it is closed
  bool fd_store = false;  // nothing is stored: what came with it is closed
  NotifyWatchdog watchdog = NotifyWatchdog::silent;
  NotifyRecording recording = NotifyRecording::unsaid;  // X_STATE
  std::optional<std::string> status;                    // printable, cut to max_status_bytes
  std::optional<Microseconds> reload_time;              // MONOTONIC_USEC, on CLOCK_MONOTONIC
  std::optional<Microseconds> watchdog_time;            // WATCHDOG_USEC; zero turns the watchdog off
  std::optional<Microseconds> extend_timeout;           // from now
  std::optional<std::int32_t> main_pid;
  std::uint64_t main_start_time = 0;  // of that process, as its reader found it
  std::optional<std::int32_t> error_number;
  std::optional<std::int32_t> exit_status;
  std::string problem;  // the first thing that was wrong, for the module's log; else empty
};

inline constexpr std::size_t max_notify_bytes = 4096;  // as systemd
inline constexpr std::size_t max_status_bytes = 256;

// Unknown names are ignored, as the protocol asks. Errors: invalid_argument (empty, a zero byte), too_large.
Result<NotifyMessage> parse_notify(std::string_view datagram);

}  // namespace starling::agent
