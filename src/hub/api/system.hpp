// Purpose: what the process itself answers: health, readiness, metrics, the plain page, the OpenAPI document.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include <functional>

#include "base/http/server.hpp"
#include "hub/api/page.hpp"
#include "hub/api/services.hpp"
#include "hub/api/stream.hpp"

namespace starling::hub {

class System {
 public:
  System(Services& services, Stream& stream);
  void add_to(Router& router);

  // Not ready before the start is complete and after a stop has begun.
  void set_ready(bool ready) { ready_ = ready; }
  void count_http_with(std::function<http::Server::Counters()> counters) {
    http_counters_ = std::move(counters);
  }

 private:
  Reply page(const Call& call);
  Reply ready(const Call& call);
  asio::awaitable<Reply> metrics();

  Services& services_;
  Stream& stream_;
  Page page_;
  bool ready_ = false;
  SteadyTime started_;
  std::function<http::Server::Counters()> http_counters_;
};

}  // namespace starling::hub
