// Purpose: a device as the API shows it: what is desired of it beside what it reported.
// Owner: Api. Thread: the hub's. Lifetime: the Hub outlives it.
#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "hub/hub.hpp"

namespace starling::hub {

// The API's form of a stored moment; null for none.
Json shown_time(std::int64_t unix_ms);

class DeviceDescription {
 public:
  explicit DeviceDescription(Hub& hub) : hub_(hub) {}

  JsonObject describe(const FleetState& state, const Device& device);
  // {device, name, status, sync}: what the live stream says of a device whose reported state has changed.
  JsonObject describe_briefly(const FleetState& state, const Device& device);

  // online, offline or updating, as the documents have it.
  std::string_view status(const Device& device) const;

  // What the device declared, or all components and no modules if it never has.
  Declared declared(const FleetState& state, const Device& device) const;
  DesiredDocument desired(const FleetState& state, const Device& device);

  // Of the modules section: {status, desired_hash, desired_revision, running_hash, running_revision, errors}.
  JsonObject modules_sync(const Device& device, const DesiredDocument& target, const DeviceRecord* record,
                          const DeviceFacts& facts) const;

  // How a device stands towards one section of what is desired of it now.
  // cannot_answer: it was told, or will ask, but its kind (the flat payload, REST alone) never says what it
  // made of it.
  enum class Standing { applied, pending, refused, offline, cannot_answer };
  Standing standing(protocol::Section section, SyncStatus online,
                    const Device& device) const;  // of a device that is not offline
  // Of one that is: what it said last, if that was of what is desired now.
  Standing standing_offline(protocol::Section section, const FleetState& state, const Device& device);

 private:
  Standing unanswered(const Device& device) const;
  JsonObject sync(const Device& device, const DesiredDocument& target, const DeviceRecord* record,
                  const DeviceFacts& facts) const;

  Hub& hub_;
};
std::string_view to_string(DeviceDescription::Standing standing);
// Of two sections of a device: the standing that keeps the answer waiting.
DeviceDescription::Standing slower(DeviceDescription::Standing one, DeviceDescription::Standing other);

JsonArray shown_errors(const std::vector<protocol::KeyError>& errors);

}  // namespace starling::hub
