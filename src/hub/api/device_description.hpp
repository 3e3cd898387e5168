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

  // Names with commas between: what the device declared, or all components if it never has.
  std::string components(const FleetState& state, const Device& device) const;
  SharedSection desired(const FleetState& state, const Device& device);

  // How a device stands towards what is desired of it now.
  // cannot_answer: it was told, or will ask, but its kind (the flat payload, REST alone) never says what it
  // made of it.
  enum class Standing { applied, pending, refused, offline, cannot_answer };
  Standing standing(SyncStatus online, const Device& device) const;  // of a device that is not offline
  // Whether a device that is offline has taken everything along.
  bool holds_desired(const FleetState& state, const Device& device);

 private:
  Standing unanswered(const Device& device) const;
  JsonObject sync(const FleetState& state, const Device& device, const SettingsSection& target,
                  const DeviceRecord* record, const DeviceFacts& facts);

  Hub& hub_;
};
std::string_view to_string(DeviceDescription::Standing standing);

JsonArray shown_errors(const std::vector<protocol::KeyError>& errors);

}  // namespace starling::hub
