// Purpose: /api/v1/actions: what is not a state, carried out at most once by each device.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class Actions {
 public:
  explicit Actions(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  asio::awaitable<Reply> start(Call& call);
  asio::awaitable<Reply> get(Call& call);

  Services& services_;
};

}  // namespace starling::hub
