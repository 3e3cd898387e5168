// Purpose: /api/v1/keys: who may do what. A secret is shown once and kept only as a hash.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class Keys {
 public:
  explicit Keys(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  Reply list(const Call& call);
  asio::awaitable<Reply> create(Call& call);
  asio::awaitable<Reply> rotate(Call& call);
  asio::awaitable<Reply> revoke(Call& call);

  Services& services_;
};

}  // namespace starling::hub
