// Purpose: from a stack of layers to the effective value of every setting. Pure; the only place that decides
// which layer wins.
// Owner: the caller. Thread: any. Lifetime: views must outlive the call, results hold pointers into them.
#pragma once

#include <cstdint>
#include <map>
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
};

// The values of one layer, by full key.
using LayerValues = std::map<std::string, LayerEntry, std::less<>>;

struct LayerView {
  const LayerId* id = nullptr;
  const LayerValues* values = nullptr;
  // Views come lowest rank first. Between views of equal rank (groups of equal priority) the entry with the
  // higher revision wins, key by key.
  int rank = 0;
};

struct EffectiveSetting {
  const SettingSchema* schema = nullptr;
  const Json* value = nullptr;         // the layer's or the schema's default
  const LayerId* layer = nullptr;      // nullptr: default
  std::int64_t revision = 0;           // 0: default
};

// `layers` lowest first. One entry for each setting of `components`, sorted by key.
// Values that their schema no longer accepts are skipped, as if not written.
std::vector<EffectiveSetting> resolve(std::span<const std::shared_ptr<const Component>> components,
                                      std::span<const LayerView> layers);

}  // namespace starling::protocol
