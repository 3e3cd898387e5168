#include "hub/settings/masking.hpp"

#include <map>
#include <set>

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;

namespace {

bool is_group(const LayerId& layer) {
  return layer.kind == LayerKind::group || layer.kind == LayerKind::policy_group;
}

std::int64_t priority_of(const FleetState& state, const LayerId& layer) {
  const auto group = state.groups().find(layer.scope);
  return group == state.groups().end() ? 0 : group->second->priority;
}

bool beats(const FleetState& state, const LayerId& layer, const LayerId& written) {
  if (layer.kind != written.kind) return layer.kind > written.kind;
  return is_group(layer) && layer.scope != written.scope &&
         priority_of(state, layer) > priority_of(state, written);
}

// Above `best`, if that is set: the higher kind, then the higher priority.
bool higher(const FleetState& state, const LayerId& layer, const LayerId& best) {
  if (layer.kind != best.kind) return layer.kind > best.kind;
  return is_group(layer) && priority_of(state, layer) > priority_of(state, best);
}

}  // namespace

Masking find_masked(const FleetState& state, const Scope& scope, const std::vector<std::string>& keys,
                    std::size_t limit) {
  Masking masking;
  for (const std::string& key : keys) {
    // In order of id, so that the answer does not depend on how layers are stored.
    std::map<std::string_view, std::pair<const Device*, const LayerId*>> winners;
    for (auto at = state.layers().lower_bound({scope.layer.kind, ""}); at != state.layers().end(); ++at) {
      const auto& [id, layer] = *at;
      if (!beats(state, id, scope.layer) || !layer.values.contains(key)) continue;
      scope_of(state, id).for_each(state, [&](const Device& device) {
        if (!scope.contains(state, device)) return;
        auto& winner = winners[device.id];
        if (winner.first == nullptr || higher(state, id, *winner.second)) winner = {&device, &id};
      });
    }
    masking.count += winners.size();
    for (const auto& [id, winner] : winners) {
      if (masking.first.size() >= limit) break;
      masking.first.push_back({key, winner.first, *winner.second});
    }
  }
  return masking;
}

}  // namespace starling::hub
