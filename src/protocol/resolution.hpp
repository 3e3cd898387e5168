// Purpose: from a stack of layers to the effective value of every setting. Pure; the only place that decides
// which layer wins.
// Owner: the caller. Thread: any. Lifetime: views must outlive the call, results hold pointers into them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "protocol/component.hpp"
#include "protocol/layer.hpp"

namespace starling::protocol {

// One written value and where it came from. A null value removes the layer's say (it is not stored).
struct LayerEntry {
  Json value;
  std::int64_t revision = 0;  // the change that wrote it
  // The schema hash of the component that accepted the value last. It only saves time: resolution validates
  // an entry again if this is not the hash of the component that it resolves with.
  Digest accepted_by{};
  std::string rollout{};  // the id of the one that brought it; empty: it was written
};

// The values of one layer, by full key.
using LayerValues = std::map<std::string, LayerEntry, std::less<>>;

struct LayerView {
  const LayerId* id = nullptr;
  const LayerValues* values = nullptr;
  // Views come lowest rank first. Between groups of equal rank (equal priority) the entry with the higher
  // revision wins, key by key; for other kinds of layers the rank has no meaning.
  int rank = 0;
  std::string_view form{};  // tells it from other forms in which a rollout's devices see the layer
};

struct EffectiveSetting {
  const SettingSchema* schema = nullptr;
  const Json* value = nullptr;     // the layer's or the schema's default
  const LayerId* layer = nullptr;  // nullptr: default
  std::int64_t revision = 0;       // 0: default
};

// `layers` lowest first. One entry for each setting of `components`, sorted by key.
// Values that their schema no longer accepts are skipped, as if not written.
std::vector<EffectiveSetting> resolve(std::span<const std::shared_ptr<const Component>> components,
                                      std::span<const LayerView> layers);

// Whether the component accepts the entry; at once if accepted_by says so.
bool accepts(const Component& component, std::string_view key, const LayerEntry& entry);
// Sets accepted_by of the component's entries. Call it for every layer when a component's file changes, and
// set accepted_by of an entry that was validated for being written; forgetting either costs only time.
void mark_accepted(LayerValues& values, const Component& component);

// What one layer says about a key, for `explain`.
struct StackEntry {
  const LayerView* layer = nullptr;
  const LayerEntry* entry = nullptr;
  bool accepted = true;    // by the present schema
  bool effective = false;  // this one wins
};

// Every layer that has a value for the key, lowest first. `component` is the one that the key belongs to,
// nullptr for a key that belongs to none (persona.active): then any value counts. If none is effective, the
// default is.
std::vector<StackEntry> stack_of(std::string_view key, const Component* component,
                                 std::span<const LayerView> layers);

// The effective one of that stack, if there is one.
std::optional<StackEntry> winner_of(std::string_view key, const Component* component,
                                    std::span<const LayerView> layers);

}  // namespace starling::protocol
