// Purpose: follows the hub's live stream for as long as a person wants to, across lost connections.
// Owner: the command. Thread: one. Lifetime: the call's.
#pragma once

#include <cstdint>
#include <optional>

#include "cli/api_client.hpp"
#include "cli/command.hpp"

namespace starling::cli {

// Both say whether to go on.
class StreamWatcher {
 public:
  virtual ~StreamWatcher() = default;
  virtual bool on_event(const StreamEvent& event) = 0;
  virtual bool on_tick() { return true; }
};

struct WatchOptions {
  std::optional<std::int64_t> since;  // absent: from now on
  bool snapshot = false;              // the reported state of every device first
  Milliseconds first_delay{1'000};    // before the second attempt; doubles up to 30 s
};

// Resumes after the last change seen, without loss or repeat, waiting 1 s to 30 s between attempts. Returns
// an error only if the hub refuses: callers have talked to it before, so an absent hub is one that will be
// back.
Result<void> watch_stream(Session& session, const WatchOptions& options, StreamWatcher& watcher);

}  // namespace starling::cli
