// Purpose: the desired document of a device, section by section, resolved and serialised once for each class
// of devices that must have the same one. Owner: Hub. Thread: the hub's. Lifetime: documents are shared and
// immutable; sessions keep what they sent.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/settings/quarantine.hpp"
#include "hub/state/change_log.hpp"
#include "protocol/document.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

// One section as it is sent.
struct DesiredSection {
  protocol::Section name = protocol::Section::settings;
  Digest hash;
  std::int64_t revision = 0;  // of the state that it was resolved from
  std::string text;           // canonical JSON
  Json json;
  std::string persona;                     // of the settings; "" if none
  std::vector<std::string> quarantined{};  // keys of settings that are not as the layers have them

  bool holds_back(std::string_view key) const;    // whether it is one of these
  const Json* value(std::string_view key) const;  // of a full key; nullptr: it says nothing of that
};
using SharedSection = std::shared_ptr<const DesiredSection>;

struct DesiredDocument {
  SharedSection settings;
  SharedSection modules;
  SharedSection software;

  const SharedSection& section(protocol::Section name) const {
    return name == protocol::Section::modules    ? modules
           : name == protocol::Section::software ? software
                                                 : settings;
  }
};

// What a device says that it has: names with commas between, and whether it takes releases.
struct Declared {
  std::string components;
  std::string modules;
  bool software = false;
  bool ties = false;  // settings and modules to a release: it switches to all of it at once
  Digest runs{};      // the section software
  SharedQuarantine quarantine{};
};

// Devices that declare the same and are reached by the same layers, of which the same is held back, and that
// keep the same against them.
class DeviceClass {
 private:
  friend class Documents;
  Declared declared_;
  std::vector<protocol::LayerId> layers_;
  std::vector<std::string> personas_;
  HeldBack held_;
  DesiredDocument document_;
  std::int64_t resolved_revision_ = 0;  // of the state that document_ was resolved from
  std::int64_t checked_revision_ = -1;  // of the state that document_ was last found right for
};
using SharedClass = std::shared_ptr<DeviceClass>;

// Whose document a change may touch.
struct ChangeScope {
  bool whole_fleet = false;
  std::vector<std::string> devices;  // if not
};
ChangeScope scope_of(const Change& change);

struct RolloutPlan;
struct DocumentRefusal;

// Which sections a change may touch.
struct Sections {
  bool settings = false;
  bool modules = false;
  bool software = false;
};
protocol::Section section_of(std::string_view key);  // that a setting is of
Sections sections_of(const Change& change, const FleetState& state);
Sections sections_of(const RolloutPlan& rollout);

class Documents : public ChangeObserver {
 public:
  explicit Documents(ChangeLog& log);
  ~Documents() override;

  // The class of a device at the published state. A holder keeps it until membership_epoch() has moved or a
  // change named the device itself.
  SharedClass class_of(const FleetState& state, const Device& device, const Declared& declared);
  std::uint64_t membership_epoch() const { return membership_epoch_; }

  // The document of a class at the published state; resolved at most once for each state of its layers.
  const DesiredDocument& document(DeviceClass& device_class, const FleetState& state, const Device& member);
  // The same if it needs no resolving, else nullptr: spares those who hold a class the search for the device.
  const DesiredDocument* resolved_document(DeviceClass& device_class, const FleetState& state) const;
  DesiredDocument desired(const FleetState& state, const Device& device, const Declared& declared);

  // What a device keeps when it refuses the document that is desired of it, beside what it keeps already.
  Quarantine quarantined_by(const DocumentRefusal& refusal, const FleetState& state, const Device& device,
                            const Declared& declared) const;

  // A section that was sent lately, by hash: the base of a patch. nullptr if it is not known any more.
  SharedSection recent(const Digest& hash) const;

  void on_change(const SharedChange& change, const FleetState& state) override;

  struct Counters {
    std::uint64_t resolved_documents = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  SharedSection keep(DesiredSection resolved, const SharedSection& former);
  bool still_right(const DeviceClass& device_class, const FleetState& state) const;
  protocol::TiedSections tied_to_release(const DeviceClass& device_class, const FleetState& state,
                                         const Device& member) const;
  void forget_unused();

  ChangeLog& log_;
  std::unordered_map<std::string, std::weak_ptr<DeviceClass>>
      classes_;  // by fleet, what is declared and stacks
  std::deque<SharedClass>
      made_lately_;  // keeps a few alive that no session holds: the API reads absent devices
  std::size_t sweep_at_ = 64;
  std::unordered_map<Digest, std::weak_ptr<const DesiredSection>> recent_;
  std::deque<SharedSection> newest_;  // keeps a few alive for devices that come back
  SharedSection no_modules_;          // of devices that have none
  SharedSection no_software_;         // of devices that take no releases
  std::uint64_t membership_epoch_ = 1;
  Counters counters_;
};

// What a device's document is without.
struct Withheld {
  HeldBack rollouts;
  SharedQuarantine quarantine;
};

// The document of a device at any state, also a past one. Pure.
DesiredSection resolve_settings(const FleetState& state, const Device& device, const std::string& components,
                                const Withheld& without = {});
DesiredSection resolve_modules(const FleetState& state, const Device& device, const std::string& modules,
                               const Withheld& without = {});
DesiredSection resolve_software(const FleetState& state, const Device& device,
                                protocol::TiedSections with = {});
// Every effective value with its layer and revision.
std::vector<protocol::EffectiveSetting> resolve_effective(const FleetState& state, const Device& device,
                                                          const std::string& components);

}  // namespace starling::hub
