#include "hub/api/standings.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t asked_in_a_turn = 256;

}  // namespace

enum class FleetStandings::Known : std::uint8_t {
  unknown = 0,
  first_status = 1,  // then the others in their order
  offline_and_applied = 100,
  offline_and_refused = 101,
  offline_and_behind = 102
};

FleetStandings::Known FleetStandings::known(SyncStatus status) {
  return static_cast<Known>(static_cast<std::uint8_t>(Known::first_status) +
                            static_cast<std::uint8_t>(status));
}

SyncStatus FleetStandings::status_of(Known known) {
  if (known >= Known::offline_and_applied) return SyncStatus::offline;
  return static_cast<SyncStatus>(static_cast<std::uint8_t>(known) -
                                 static_cast<std::uint8_t>(Known::first_status));
}

FleetStandings::KnownSections& FleetStandings::at(Place place) {
  if (place >= by_place_.size()) by_place_.resize(state_.device_index().end_place());
  return by_place_[place];
}

// No change brings a device online, but any may ask something else of those that are offline.
void FleetStandings::forget_what_a_change_touches() {
  fleet_changed_ = false;
  const Known offline = known(SyncStatus::offline);
  const auto forget = [offline](Known& each) {
    each = each == offline || each >= Known::offline_and_applied ? offline : Known::unknown;
  };
  for (KnownSections& each : by_place_) {
    forget(each.settings);
    forget(each.modules);
    forget(each.software);
  }
}

void FleetStandings::forget(const std::string& device_id) {
  // If the device has gone, whoever gets its place is forgotten when registered.
  if (const auto place = state_.device_index().place_of(device_id)) at(*place) = {};
}

bool FleetStandings::turn_is_over() {
  if (asked_ < asked_in_a_turn) return false;
  asked_ = 0;
  return true;
}

FleetStandings::KnownSections& FleetStandings::ask_sync(const Device& device, Place place) {
  if (fleet_changed_) forget_what_a_change_touches();
  KnownSections& sections = at(place);
  if (sections.settings != Known::unknown) return sections;
  ++asked_;
  const SyncStatuses statuses = hub_.sessions().sync_statuses(device);
  return sections = {known(statuses.settings), known(statuses.modules), known(statuses.software)};
}

std::optional<SyncStatus> FleetStandings::sync(Place place) {
  const Device* device = state_.device_index().at(place);
  if (device == nullptr) return std::nullopt;
  const KnownSections& sections = ask_sync(*device, place);
  return SyncStatuses{status_of(sections.settings), status_of(sections.modules), status_of(sections.software)}
      .whole();
}

std::optional<DeviceDescription::Standing> FleetStandings::standing(Place place, Sections sections) {
  using Standing = DeviceDescription::Standing;
  const Device* device = state_.device_index().at(place);
  if (device == nullptr) return std::nullopt;
  KnownSections& known_of_it = ask_sync(*device, place);
  const Standing settings = sections.settings
                                ? standing(*device, protocol::Section::settings, known_of_it.settings)
                                : Standing::applied;
  const Standing modules = sections.modules
                               ? standing(*device, protocol::Section::modules, known_of_it.modules)
                               : Standing::applied;
  const Standing software = sections.software
                                ? standing(*device, protocol::Section::software, known_of_it.software)
                                : Standing::applied;
  return slower(slower(settings, modules), software);
}

bool FleetStandings::is_offline(Place place) {
  const Device* device = state_.device_index().at(place);
  return device != nullptr && status_of(ask_sync(*device, place).settings) == SyncStatus::offline;
}

bool FleetStandings::modules_are_tried(Place place) {
  const Device* device = state_.device_index().at(place);
  if (device == nullptr) return false;
  const SyncStatus status = status_of(ask_sync(*device, place).modules);
  if (status != SyncStatus::refused) return status == SyncStatus::provisional;
  const DeviceRecord* record = hub_.records().find(device->id);  // it may try others beside those
  return record != nullptr && record->modules.phase == protocol::Phase::provisional;
}

DeviceDescription::Standing FleetStandings::standing(const Device& device, protocol::Section section,
                                                     Known& known_of_it) {
  using Standing = DeviceDescription::Standing;
  const SyncStatus status = status_of(known_of_it);
  if (status != SyncStatus::offline) return description_.standing(section, status, device);
  if (known_of_it == known(SyncStatus::offline)) {
    ++asked_;
    const Standing standing = description_.standing_offline(section, state_, device);
    known_of_it = standing == Standing::applied   ? Known::offline_and_applied
                  : standing == Standing::refused ? Known::offline_and_refused
                                                  : Known::offline_and_behind;
  }
  if (known_of_it == Known::offline_and_applied) return Standing::applied;
  return known_of_it == Known::offline_and_refused ? Standing::refused : Standing::offline;
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
