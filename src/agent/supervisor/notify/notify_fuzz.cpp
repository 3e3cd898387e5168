// Whatever a module sends to its notify socket: bounded, printable, and the same each time it is read.
#include <cstdint>
#include <cstdlib>

#include "agent/supervisor/notify/notify.hpp"
#include "base/printable_text.hpp"
#include "base/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::agent;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<NotifyMessage> message = parse_notify(text);
  if (!message) return 0;
  const std::string status = message->status.value_or("");
  if (status.size() > max_status_bytes || !is_utf8(status) || !is_utf8(message->problem)) std::abort();
  if (status != printable_text(status, max_status_bytes)) std::abort();
  for (const auto& time : {message->reload_time, message->watchdog_time, message->extend_timeout}) {
    if (time && *time < NotifyMessage::Microseconds::zero()) std::abort();
  }
  if (message->main_pid && *message->main_pid < 1) std::abort();
  return 0;
}
