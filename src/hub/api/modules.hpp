// Purpose: /api/v1/modules, /api/v1/crashes and the modules of one device: what is desired of them beside
// what is reported, and what they die of. Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"
#include "hub/device_link/module_tally.hpp"

namespace starling::hub {

class Modules {
 public:
  explicit Modules(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  Reply of_device(const Call& call);
  asio::awaitable<Reply> overview(Call& call);
  asio::awaitable<Reply> whereabouts(Call& call);
  asio::awaitable<Reply> crashes(Call& call);
  // Of the fleet, or of those devices that a selector and the grant leave. Errors: invalid_argument
  // (selector).
  asio::awaitable<Result<ModuleTally>> tally(const Call& call);
  // How many devices that have modules are offline.
  asio::awaitable<std::int64_t> offline(const Call& call, const protocol::Selector& selector);

  Services& services_;
};

}  // namespace starling::hub
