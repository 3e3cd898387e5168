// Purpose: the hub's numbers in the Prometheus text format.
// Owner: System. Thread: the hub's. Lifetime: none of its own; everything is read when it is asked for.
#pragma once

#include <string>

#include "base/http/server.hpp"
#include "hub/hub.hpp"
#include "hub/releases/encodings.hpp"

namespace starling::hub {

struct MetricsSources {
  Hub& hub;
  http::Server::Counters http;
  const Encodings* encodings = nullptr;  // none: this hub keeps no releases
  std::size_t streams = 0;
  double uptime_seconds = 0;
};
std::string metrics_text(MetricsSources sources);

}  // namespace starling::hub
