#include "hub/api/release_use.hpp"

#include <algorithm>

#include "hub/device_link/running_release.hpp"
#include "hub/settings/writes.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t counted_in_a_turn = 128;

// Spares a fleet of which nobody says what it shall run the asking for each device.
bool speaks_of_releases(const FleetState& state) {
  return !state.rollouts().empty() || std::ranges::any_of(state.layers(), [](const auto& layer) {
    return layer.second.values.contains(protocol::software_release_key);
  });
}

}  // namespace

Json desired_release(const FleetState& state, const Device& device) {
  auto wanted = effective_value(state, device, std::string(protocol::software_release_key));
  return wanted ? std::move(wanted->value) : Json();
}

asio::awaitable<ReleaseUses> count_releases(Services& services, const Call& call) {
  ReleaseUses uses;
  const FleetState& state = *call.fleet;
  std::string last;
  // Looked up anew after each turn, because the fleet may change while others have theirs.
  for (bool more = true; more;) {
    const bool spoken_of = speaks_of_releases(state);
    auto at = last.empty() ? state.devices().begin() : state.devices().upper_bound(last);
    for (std::size_t n = 0; n < counted_in_a_turn && at != state.devices().end(); ++n, ++at) {
      const Device& device = *at->second;
      last = device.id;
      if (!call.reach.covers(device)) continue;
      std::string running = running_release(services.hub.records().find(device.id));
      if (!running.empty()) ++uses[std::move(running)].running;
      const Json wanted = spoken_of ? desired_release(state, device) : Json();
      if (wanted.is_string()) ++uses[std::string(wanted.get_string())].wanted;
    }
    more = at != state.devices().end();
    if (more) co_await services.log.yield();
  }
  co_return uses;
}

}  // namespace starling::hub
