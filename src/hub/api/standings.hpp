// Purpose: how each device of a fleet stands, remembered between requests, so that counting a fleet asks anew
// only about devices of which something has changed: three bytes for each registered device.
// Owner: Api. Thread: the hub's. Lifetime: the Hub and the description outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hub/api/device_description.hpp"
#include "hub/hub.hpp"

namespace starling::hub {

// Of one fleet, by place in the index of its published state.
class FleetStandings {
 public:
  FleetStandings(Hub& hub, DeviceDescription& description, const FleetState& state)
      : hub_(hub), description_(description), state_(state) {}

  // As Sessions::sync_status and DeviceDescription::standing; nothing if no device has this place (any more).
  std::optional<SyncStatus> sync(Place place);
  // Towards all of these sections: the one that keeps the answer waiting.
  std::optional<DeviceDescription::Standing> standing(Place place, Sections sections);

  bool is_offline(Place place);
  // Whether it is online and tries the modules section that is desired of it.
  bool modules_are_tried(Place place);

  // Whether the caller has had its turn: so much had to be asked anew since this was last true.
  bool turn_is_over();

  void forget(const std::string& device_id);
  void forget_fleet() { fleet_changed_ = true; }

 private:
  // `unknown`, a SyncStatus, or what an offline device was found to hold.
  enum class Known : std::uint8_t;
  static Known known(SyncStatus status);
  static SyncStatus status_of(Known known);
  struct KnownSections {
    Known settings{};
    Known modules{};
    Known software{};
  };

  KnownSections& at(Place place);
  void forget_what_a_change_touches();
  // What is known of the device by then.
  KnownSections& ask_sync(const Device& device, Place place);
  DeviceDescription::Standing standing(const Device& device, protocol::Section section, Known& known);

  Hub& hub_;
  DeviceDescription& description_;
  const FleetState& state_;
  std::vector<KnownSections> by_place_;
  bool fleet_changed_ = false;
  std::size_t asked_ = 0;
};

class Standings : public ChangeObserver, public PresenceObserver {
 public:
  Standings(Hub& hub, DeviceDescription& description);
  ~Standings() override;

  // `published`: the state that ChangeLog::published gives. The answer stays where it is.
  FleetStandings& of(const FleetState& published);

  void on_change(const SharedChange& change, const FleetState& state) override;
  void on_reported(const std::string& fleet, const std::string& device_id) override;

 private:
  Hub& hub_;
  DeviceDescription& description_;
  std::map<std::string, FleetStandings, std::less<>> fleets_;  // those that somebody has asked about
};

}  // namespace starling::hub
