// Purpose: /api/v1/changes: the log, and how far devices have come with one change.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class Changes {
 public:
  explicit Changes(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  asio::awaitable<Reply> list(Call& call);
  asio::awaitable<Reply> get(Call& call);
  asio::awaitable<Reply> progress(Call& call);

  Services& services_;
};

}  // namespace starling::hub
