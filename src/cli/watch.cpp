#include "cli/watch.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace starling::cli {
namespace {

constexpr Milliseconds longest_delay{5'000};  // somebody is looking

bool may_pass(const Error& error) {
  return error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out ||
         error.code == ErrorCode::rate_limited || error.code == ErrorCode::io;
}

}  // namespace

Result<void> watch_stream(Session& session, const WatchOptions& options, StreamWatcher& watcher) {
  std::string last_id;
  std::optional<std::int64_t> since = options.since;
  bool stopped = false;
  Milliseconds delay = options.first_delay;
  const auto sink = [&](const StreamEvent& event) {
    delay = options.first_delay;
    if (event.name == "reset") {
      last_id = event.id;
      since.reset();
      session.console.note("the hub was set up anew or restored: following its new history from here");
      return true;
    }
    if (!event.id.empty()) last_id = event.id;
    stopped = !watcher.on_event(event);
    return !stopped;
  };
  const auto tick = [&] {
    stopped = stopped || !watcher.on_tick();
    return !stopped;
  };
  while (true) {
    Parameters query;
    if (last_id.empty() && since) query.emplace_back("since", std::to_string(*since));
    if (!options.snapshot) query.emplace_back("snapshot", "false");
    const auto followed = session.api.follow("/api/v1/stream", query, last_id, sink, tick);
    if (stopped) return {};
    if (!followed && !may_pass(followed.error())) return followed;
    session.console.note(fmt::format("the connection to the hub was lost; trying again in {} s",
                                     std::chrono::ceil<Seconds>(delay).count()));
    session.api.pause(delay);
    delay = std::min(delay * 2, longest_delay);
  }
}

}  // namespace starling::cli
