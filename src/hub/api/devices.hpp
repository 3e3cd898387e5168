// Purpose: /api/v1/devices: what operators see and change of devices.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class Devices {
 public:
  explicit Devices(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  struct Filter;  // of a list
  static Result<Filter> filter_of(const Call& call);
  static std::optional<std::vector<std::string>> few_candidates(const Filter& filter, const Reach& reach,
                                                                const FleetState& state);
  bool passes(const Filter& filter, const Reach& reach, const Device& device);

  asio::awaitable<Reply> list(Call& call);
  Reply get(const Call& call);
  asio::awaitable<Reply> patch(Call& call);
  asio::awaitable<Reply> remove(Call& call);

  Services& services_;
};

}  // namespace starling::hub
