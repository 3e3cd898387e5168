// Purpose: all desired state of one fleet at one revision, indexed for the questions that the hub asks.
// Owner: ChangeLog holds two of each fleet: the head (with changes that are being committed) and the
// published one. Thread: the hub's. Lifetime: values inside are shared and immutable, so copying a state is
// cheap enough for a reset of the head and for history.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/state/change.hpp"
#include "hub/state/device_index.hpp"
#include "hub/state/entity.hpp"
#include "hub/state/gated_layers.hpp"
#include "protocol/component.hpp"
#include "protocol/resolution.hpp"

namespace starling::hub {

// A persona that stays on a device instead of another.
struct KeptPersona {
  std::int64_t instead_of = 0;  // PersonaChoice::newest of the one that the device refuses
  std::string name;             // empty: none
};

class FleetState {
 public:
  explicit FleetState(std::string fleet) : fleet_(std::move(fleet)) {}

  const std::string& fleet() const { return fleet_; }
  std::int64_t revision() const { return revision_; }

  // Errors: already_exists if two components would have one alias; nothing of the change is applied then.
  // corrupted if an edit's body cannot be read (the log was damaged); the state is then unusable.
  Result<void> apply(const Change& change);
  // Loads an entity as a snapshot has it. `revision`: of the change that wrote it. Errors: as apply(), for
  // this one entity.
  Result<void> load(EntityKind kind, const std::string& id, const Json& body, std::int64_t revision);
  void set_revision(std::int64_t revision) { revision_ = revision; }
  // Those that expired seven days ago: nobody asks for their results any more.
  void drop_old_actions(std::int64_t now_ms);

  // The body of an entity as the log keeps it; null if absent. What an edit's `before` must be.
  Json body(EntityKind kind, const std::string& id) const;
  // An edit from what is to `after` (null removes).
  Edit edit(EntityKind kind, std::string id, Json after) const;

  template <typename T>
  using ById = std::map<std::string, std::shared_ptr<const T>, std::less<>>;

  const Device* device(const std::string& id) const;
  const ById<Device>& devices() const { return devices_; }  // in order of id, which is how lists are paged
  const DeviceIndex& device_index() const { return device_index_; }
  const ById<Persona>& personas() const { return personas_; }
  const ById<Group>& groups() const { return groups_; }
  const ById<Key>& keys() const { return keys_; }
  const ById<ActionRequest>& actions() const { return actions_; }
  const ById<Release>& releases() const { return releases_; }
  const ById<RolloutRecord>& rollouts() const { return rollouts_; }
  const ById<Asset>& assets() const { return assets_; }
  // The newest rollout that has not ended and brings this setting; nullptr if there is none.
  const RolloutRecord* rollout_of(const SettingId& setting) const { return gated_layers_.holder(setting); }
  const protocol::Catalog& catalog() const { return catalog_; }

  // The values written in a layer; empty if none. Those that rollouts bring are not written yet.
  const protocol::LayerValues& layer(const protocol::LayerId& id) const;
  struct Layer {
    protocol::LayerValues values;
    std::int64_t revision = 0;  // of the newest write, also when that emptied it
  };
  const std::map<protocol::LayerId, Layer>& layers() const { return layers_; }

  // The newest revision at which one of these documents could have changed: a layer's values, a persona's
  // fields, a component's schema. 0: never.
  std::int64_t layer_revision(const protocol::LayerId& id) const;
  std::int64_t persona_revision(const std::string& name) const;
  std::int64_t catalog_revision() const { return catalog_revision_; }
  std::int64_t assets_revision() const { return assets_revision_; }  // of the newest change of any

  // Groups that a device with these labels is in, lowest precedence first (priority, then name).
  std::vector<const Group*> groups_of(const protocol::Labels& labels) const;

  // The layers that apply to a device, lowest first, without empty ones, and the persona in force there:
  // persona.active of the highest of them; nullptr if none says so or if it does not exist. A layer has the
  // form in which the device sees it by the rollouts that admit it. Groups of equal priority share a rank:
  // between those, the newest write of a key wins.
  struct Stack {
    std::vector<protocol::LayerView> layers;
    const Persona* persona = nullptr;
    bool keeps_persona = false;  // which is not the one that the layers choose
  };
  // `held`: as it is without what these rollouts bring.
  Stack stack(const Device& device, const HeldBack& held = {},
              const std::optional<KeptPersona>& kept = std::nullopt) const;
  // The persona that the layers of a stack choose; nothing if they choose none.
  struct PersonaChoice {
    std::string_view name;
    std::int64_t revision = 0;  // of the change that chose it
    std::int64_t newest = 0;    // that, or what has altered it or its values since
  };
  std::optional<PersonaChoice> persona_choice(const Stack& stack) const;
  HeldBack held_back(const Device& device, const Digest& software) const {
    return gated_layers_.held_back(device, software);
  }
  bool any_tied() const { return gated_layers_.any_tied(); }

 private:
  Result<void> apply_components(const Change& change);
  Result<void> put(EntityKind kind, const std::string& id, const Json& body, std::int64_t revision);
  void remove(EntityKind kind, const std::string& id, std::int64_t revision);
  void accept_values_of(const protocol::Component& component);
  Result<void> put_device(const std::string& id, const Json& body);
  void remove_device(const std::string& id);
  Result<void> put_rollout(const std::string& id, const Json& body);
  void write_setting(const SettingId& id, const Json* value, std::int64_t revision);

  std::string fleet_;
  std::int64_t revision_ = 0;
  ById<Device> devices_;
  DeviceIndex device_index_;  // of devices_; changed only by put_device and remove_device
  ById<Persona> personas_;
  ById<Group> groups_;
  ById<Key> keys_;
  ById<ActionRequest> actions_;
  ById<Release> releases_;
  ById<RolloutRecord> rollouts_;
  ById<Asset> assets_;
  GatedLayers gated_layers_;  // of rollouts_; changed only by put_rollout and remove
  protocol::Catalog catalog_;
  std::map<protocol::LayerId, Layer> layers_;
  std::map<std::string, std::int64_t, std::less<>> persona_revisions_;
  std::int64_t catalog_revision_ = 0;
  std::int64_t assets_revision_ = 0;
};

}  // namespace starling::hub
