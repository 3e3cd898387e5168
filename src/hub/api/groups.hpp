// Purpose: /api/v1/groups: named, live selectors.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class Groups {
 public:
  explicit Groups(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  Reply list(const Call& call);
  asio::awaitable<Reply> put(Call& call);
  asio::awaitable<Reply> remove(Call& call);

  Services& services_;
};

}  // namespace starling::hub
