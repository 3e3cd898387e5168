// Purpose: `starling-fleetsim sockets`: a real hub, many devices with the agent's real core, real sockets.
// Makes changes for a while, then holds what every device runs against what the hub wants of it. Owner:
// main(). Thread: its own io_context's. Lifetime: one run.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "fleetsim/socket_fleet.hpp"

namespace starling::fleetsim {

struct SocketModeOptions {
  HubAccess hub;
  std::size_t devices = 100;
  Seconds duration{10};           // of the changes
  double changes_per_second = 1;  // 0: none are made, whoever else makes some
  Seconds connect_limit{60};      // for all devices to be connected and in sync
  Seconds settle_limit{30};       // after the last change
};

struct SocketModeReport {
  std::size_t devices = 0;
  std::size_t connected = 0;
  std::size_t in_sync = 0;
  std::size_t refused = 0;  // visibly, with the hub's list of reasons
  std::size_t changes = 0;
  Milliseconds connected_after{0};          // all devices, enrolment included
  Milliseconds settled_after{0};            // all devices, from the last change on
  std::vector<std::string> contradictions;  // what must not be; at most 20 are kept
  std::size_t contradiction_count = 0;
};

// Errors: those of the hub's API at the start, invalid_argument. A fleet that does not get in sync is no
// error: the report says so.
Result<SocketModeReport> run_socket_mode(const SocketModeOptions& options, const Clock& clock, Log& log);

}  // namespace starling::fleetsim
