// Purpose: how many devices run each release, and how many shall.
// Owner: none. Thread: the hub's; others have their turns in between. Lifetime: that of the request.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "hub/api/services.hpp"

namespace starling::hub {

struct ReleaseUse {
  std::int64_t running = 0;  // as they reported
  std::int64_t wanted = 0;   // as the layers say
};
using ReleaseUses = std::map<std::string, ReleaseUse, std::less<>>;  // by version

// The version that a device shall run; null if nobody says.
Json desired_release(const FleetState& state, const Device& device);

// Of the devices that the call covers.
asio::awaitable<ReleaseUses> count_releases(Services& services, const Call& call);

}  // namespace starling::hub
