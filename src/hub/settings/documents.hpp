// Purpose: the desired settings document of a device, resolved and serialised once for each class of devices
// that must have the same one. Owner: Hub. Thread: the hub's. Lifetime: documents are shared and immutable;
// sessions keep what they sent.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hub/state/change_log.hpp"
#include "protocol/document.hpp"

namespace starling::hub {

// One document as it is sent.
struct SettingsSection {
  Digest hash;
  std::int64_t revision = 0;  // of the state that it was resolved from
  std::string text;           // canonical JSON
  Json json;
  std::string persona;  // "" if none
};
using SharedSection = std::shared_ptr<const SettingsSection>;

// Devices that declare the same components and are reached by the same layers.
class DeviceClass {
 private:
  friend class Documents;
  std::string components_;  // names with commas between
  std::vector<protocol::LayerId> stack_;
  std::string persona_;
  SharedSection section_;
  std::int64_t checked_revision_ = -1;  // of the state that section_ was last found right for
};
using SharedClass = std::shared_ptr<DeviceClass>;

// Whose document a change may touch.
struct ChangeScope {
  bool whole_fleet = false;
  std::vector<std::string> devices;  // if not
};
ChangeScope scope_of(const Change& change);

class Documents : public ChangeObserver {
 public:
  explicit Documents(ChangeLog& log);
  ~Documents() override;

  // The class of a device at the published state. A holder keeps it until membership_epoch() has moved or a
  // change named the device itself.
  SharedClass class_of(const FleetState& state, const Device& device, const std::string& components);
  std::uint64_t membership_epoch() const { return membership_epoch_; }

  // The document of a class at the published state; resolved at most once for each state of its layers.
  SharedSection section(DeviceClass& device_class, const FleetState& state, const Device& member);
  // The same if it needs no resolving, else nullptr: spares those who hold a class the search for the device.
  SharedSection resolved_section(DeviceClass& device_class, const FleetState& state) const;
  SharedSection desired(const FleetState& state, const Device& device, const std::string& components);

  // A document that was sent lately, by hash: the base of a patch. nullptr if it is not known any more.
  SharedSection recent(const Digest& hash) const;

  void on_change(const SharedChange& change, const FleetState& state) override;

  struct Counters {
    std::uint64_t resolved_documents = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  bool still_right(const DeviceClass& device_class, const FleetState& state) const;
  void forget_unused();

  ChangeLog& log_;
  std::unordered_map<std::string, std::weak_ptr<DeviceClass>> classes_;  // by fleet, components and stack
  std::deque<SharedClass>
      made_lately_;  // keeps a few alive that no session holds: the API reads absent devices
  std::size_t sweep_at_ = 64;
  std::unordered_map<Digest, std::weak_ptr<const SettingsSection>> recent_;
  std::deque<SharedSection> newest_;  // keeps a few alive for devices that come back
  std::uint64_t membership_epoch_ = 1;
  Counters counters_;
};

// The document of a device at any state, also a past one. Pure.
SettingsSection resolve_document(const FleetState& state, const Device& device,
                                 const std::string& components);
// Every effective value with its layer and revision.
std::vector<protocol::EffectiveSetting> resolve_effective(const FleetState& state, const Device& device,
                                                          const std::string& components);

}  // namespace starling::hub
