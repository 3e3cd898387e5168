// Purpose: /api/v1/fleet and /api/v1/fleets: one fleet in numbers, and new ones.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include <map>

#include "hub/api/services.hpp"

namespace starling::hub {

class Fleets {
 public:
  explicit Fleets(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  asio::awaitable<Reply> summary(Call& call);
  Reply list(const Call& call);
  asio::awaitable<Reply> create(Call& call);

  Services& services_;
};

}  // namespace starling::hub
