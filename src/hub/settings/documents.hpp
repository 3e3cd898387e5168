// Purpose: the desired settings document of a device, resolved and serialised once for each class of devices that
// must have the same one.
// Owner: Hub. Thread: the hub's. Lifetime: documents are shared and immutable; sessions keep what they sent.
#pragma once

#include <cstdint>
#include <map>
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
  std::string persona;        // "" if none
};
using SharedSection = std::shared_ptr<const SettingsSection>;

// Devices that declare the same components and are reached by the same layers.
class DeviceClass {
 public:
  const std::string& fleet() const { return fleet_; }

 private:
  friend class Documents;
  std::string fleet_;
  std::string components_;  // names with commas between
  std::vector<std::pair<protocol::LayerId, int>> stack_;  // lowest first, with rank
  std::string persona_;
  SharedSection section_;
  std::uint64_t content_epoch_ = 0;  // of section_
};
using SharedClass = std::shared_ptr<DeviceClass>;

class Documents : public ChangeObserver {
 public:
  explicit Documents(ChangeLog& log);
  ~Documents() override;

  // The class of a device at the published state. Cheap to keep: still right while membership_epoch() is the same.
  SharedClass class_of(const FleetState& state, const Device& device, const std::string& components);
  std::uint64_t membership_epoch() const { return membership_epoch_; }

  // The document of a class at the published state; resolved at most once for each state of its layers.
  SharedSection section(DeviceClass& device_class, const FleetState& state);
  SharedSection desired(const FleetState& state, const Device& device, const std::string& components);

  // A document that was sent lately, by hash: the base of a patch. nullptr if it is not known any more.
  SharedSection recent(const Digest& hash) const;

  void on_change(const SharedChange& change, const FleetState& state) override;

  struct Counters {
    std::uint64_t resolved_documents = 0;
  };
  Counters counters() const { return counters_; }

 private:
  ChangeLog& log_;
  std::map<std::string, std::weak_ptr<DeviceClass>> classes_;
  std::unordered_map<Digest, std::weak_ptr<const SettingsSection>> recent_;
  std::uint64_t membership_epoch_ = 1;
  std::uint64_t content_epoch_ = 1;
  Counters counters_;
};

// The document of a device at any state, also a past one. Pure.
SettingsSection resolve_document(const FleetState& state, const Device& device, const std::string& components);
// Every effective value with its layer and revision.
std::vector<protocol::EffectiveSetting> resolve_effective(const FleetState& state, const Device& device,
                                                          const std::string& components);

}  // namespace starling::hub
