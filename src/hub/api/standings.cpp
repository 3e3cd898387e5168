#include "hub/api/standings.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t asked_in_a_turn = 256;

}  // namespace

enum class FleetStandings::Known : std::uint8_t {
  unknown = 0,
  first_status = 1,  // then the others in their order
  offline_and_applied = 100,
  offline_and_behind = 101
};

FleetStandings::Known FleetStandings::known(SyncStatus status) {
  return static_cast<Known>(static_cast<std::uint8_t>(Known::first_status) +
                            static_cast<std::uint8_t>(status));
}

FleetStandings::Known& FleetStandings::at(Place place) {
  if (place >= by_place_.size()) by_place_.resize(state_.device_index().end_place(), Known::unknown);
  return by_place_[place];
}

// No change brings a device online, but any may ask something else of those that are offline.
void FleetStandings::forget_what_a_change_touches() {
  fleet_changed_ = false;
  const Known offline = known(SyncStatus::offline);
  for (Known& each : by_place_) {
    const bool is_offline =
        each == offline || each == Known::offline_and_applied || each == Known::offline_and_behind;
    each = is_offline ? offline : Known::unknown;
  }
}

void FleetStandings::forget(const std::string& device_id) {
  // If the device has gone, whoever gets its place is forgotten when registered.
  if (const auto place = state_.device_index().place_of(device_id)) at(*place) = Known::unknown;
}

bool FleetStandings::turn_is_over() {
  if (asked_ < asked_in_a_turn) return false;
  asked_ = 0;
  return true;
}

SyncStatus FleetStandings::ask_sync(const Device& device, Known& known_of_it) {
  ++asked_;
  const SyncStatus status = hub_.sessions().sync_status(state_, device);
  known_of_it = known(status);
  return status;
}

std::optional<SyncStatus> FleetStandings::sync(Place place) {
  if (fleet_changed_) forget_what_a_change_touches();
  const Device* device = state_.device_index().at(place);
  if (device == nullptr) return std::nullopt;
  Known& known_of_it = at(place);
  switch (known_of_it) {
    case Known::unknown: return ask_sync(*device, known_of_it);
    case Known::offline_and_applied:
    case Known::offline_and_behind: return SyncStatus::offline;
    default: break;
  }
  return static_cast<SyncStatus>(static_cast<std::uint8_t>(known_of_it) -
                                 static_cast<std::uint8_t>(Known::first_status));
}

std::optional<DeviceDescription::Standing> FleetStandings::standing(Place place) {
  const auto status = sync(place);
  if (!status) return std::nullopt;
  const Device& device = *state_.device_index().at(place);
  if (*status != SyncStatus::offline) return description_.standing(*status, device);
  Known& known_of_it = at(place);
  if (known_of_it == known(SyncStatus::offline)) {
    ++asked_;
    known_of_it =
        description_.holds_desired(state_, device) ? Known::offline_and_applied : Known::offline_and_behind;
  }
  return known_of_it == Known::offline_and_applied ? DeviceDescription::Standing::applied
                                                   : DeviceDescription::Standing::offline;
}

Standings::Standings(Hub& hub, DeviceDescription& description) : hub_(hub), description_(description) {
  hub_.changes().observe(*this);
  hub_.sessions().observe(*this);
}

Standings::~Standings() {
  hub_.sessions().stop_observing(*this);
  hub_.changes().stop_observing(*this);
}

FleetStandings& Standings::of(const FleetState& published) {
  return fleets_.try_emplace(published.fleet(), hub_, description_, published).first->second;
}

void Standings::on_change(const SharedChange& change, const FleetState& state) {
  const auto found = fleets_.find(state.fleet());
  if (found == fleets_.end()) return;
  const ChangeScope scope = scope_of(*change);
  if (scope.whole_fleet) found->second.forget_fleet();
  for (const std::string& device_id : scope.devices)
    found->second.forget(device_id);
}

void Standings::on_reported(const std::string& fleet, const std::string& device_id) {
  const auto found = fleets_.find(fleet);
  if (found != fleets_.end()) found->second.forget(device_id);
}

}  // namespace starling::hub
