// Purpose: what every resource of the API works with.
// Owner: Api. Thread: the hub's. Lifetime: outlives the resources.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/api/device_description.hpp"
#include "hub/api/log_access.hpp"
#include "hub/api/router.hpp"
#include "hub/api/standings.hpp"
#include "hub/api/writer.hpp"
#include "hub/hub.hpp"
#include "hub/settings/writes.hpp"

namespace starling::hub {

class AssetFiles;
class Repositories;

struct Services {
  Hub& hub;
  LogAccess& log;
  Writer& writer;
  DeviceDescription& description;
  Standings& standings;
  const Clock& clock;
  Logger logger;
  Repositories* repositories;  // nullptr: this hub keeps no releases
  AssetFiles* assets;          // nullptr: it keeps no assets

  std::int64_t now_ms() const { return clock.wall().time_since_epoch().count(); }
};

// Errors: permission_denied if a write there could reach devices outside the grant.
Result<void> check_reach(const Reach& reach, const FleetState& head, const Scope& scope);
// The same for what concerns the fleet as a whole.
Result<void> check_whole_fleet(const Reach& reach);
// Returns when the tallies of the modules are whole, which they are not yet for a while after a start.
asio::awaitable<void> count_modules(Services& services);
// The target of a body: its `target` member, or the whole fleet.
Result<Target> target_of(const JsonObject& body);

}  // namespace starling::hub
