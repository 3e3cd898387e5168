// Purpose: how a layer looks to the devices that rollouts admit: with their values laid over its own.
// Owner: FleetState. Thread: the hub's. Lifetime: the state's; what form_for() gives lasts until the state
// changes.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/crypto.hpp"
#include "hub/state/entity.hpp"
#include "protocol/component.hpp"
#include "protocol/resolution.hpp"

namespace starling::hub {

struct RolloutRecord;

// Rollouts, by id, that bring a device its release first.
using HeldBack = std::vector<std::string>;

class GatedLayers {
 public:
  // One that has ended is taken out.
  void put(const std::shared_ptr<const RolloutRecord>& rollout);
  void remove(std::string_view rollout);
  // Values of the layer, or the schemas of all, have changed.
  void layer_changed(const protocol::LayerId& layer);
  void catalog_changed() { forms_.clear(); }

  // The newest rollout that has not ended and brings this setting; nullptr if there is none.
  const RolloutRecord* holder(const SettingId& setting) const;

  // Those that admit the device, and bring a release that does not run there with more that is tied to it.
  // `software`: hash of the section that is in force there.
  HeldBack held_back(const Device& device, const Digest& software) const;
  bool any_tied() const { return !tied_.empty(); }

  struct Form {
    const protocol::LayerId* layer;
    const protocol::LayerValues* values;
    std::string_view name;  // tells it from other forms of the layer
  };
  // Nullopt: the device sees the layer as it was written.
  std::optional<Form> form_for(const protocol::LayerId& layer, const Device& device,
                               const protocol::LayerValues& written, const protocol::Catalog& catalog,
                               const HeldBack& held) const;

 private:
  using Rollouts = std::vector<std::shared_ptr<const RolloutRecord>>;  // oldest first
  using FormId = std::pair<protocol::LayerId, std::string>;

  struct Tied {
    std::shared_ptr<const RolloutRecord> rollout;
    std::vector<Digest> sections;  // software, by its releases
  };

  std::map<protocol::LayerId, Rollouts> rollouts_;
  std::vector<Tied> tied_;
  mutable std::map<FormId, std::shared_ptr<const protocol::LayerValues>> forms_;  // made when first asked for
};

}  // namespace starling::hub
