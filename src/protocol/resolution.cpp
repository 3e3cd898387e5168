#include "protocol/resolution.hpp"

#include <algorithm>

namespace starling::protocol {
namespace {

bool is_group(LayerKind kind) {
  return kind == LayerKind::group || kind == LayerKind::policy_group;
}

// Whether `entry` of `layer` gives way to what `winner` has said already: only between groups of equal rank,
// where the newest write wins.
bool loses(const LayerView& layer, const LayerEntry& entry, const LayerView* winner,
           std::int64_t winning_revision) {
  return winner != nullptr && is_group(layer.id->kind) && winner->id->kind == layer.id->kind &&
         winner->rank == layer.rank && winning_revision > entry.revision;
}

// Lays the entries of one layer over the settings of one component; both are sorted by key.
void lay_over(const Component& component, const LayerView& layer, EffectiveSetting* slots,
              const LayerView** winners) {
  const std::vector<SettingSchema>& settings = component.settings();
  std::size_t i = 0;
  for (auto entry = layer.values->lower_bound(settings.front().key);
       entry != layer.values->end() && i < settings.size();) {
    const int order = entry->first.compare(settings[i].key);
    if (order > 0) {
      ++i;
      continue;
    }
    const LayerEntry& written = entry->second;
    if (order == 0 && !loses(layer, written, winners[i], slots[i].revision) &&
        accepts(component, entry->first, written)) {
      slots[i].value = &written.value;
      slots[i].layer = layer.id;
      slots[i].revision = written.revision;
      winners[i] = &layer;
    }
    ++entry;
  }
}

}  // namespace

bool accepts(const Component& component, std::string_view key, const LayerEntry& entry) {
  if (entry.accepted_by == component.schema_hash()) return true;
  return component.validate(key, entry.value).has_value();
}

void mark_accepted(LayerValues& values, const Component& component) {
  for (const SettingSchema& setting : component.settings()) {
    const auto entry = values.find(setting.key);
    if (entry != values.end() && accepts(component, setting.key, entry->second)) {
      entry->second.accepted_by = component.schema_hash();
    }
  }
}

std::vector<EffectiveSetting> resolve(std::span<const std::shared_ptr<const Component>> components,
                                      std::span<const LayerView> layers) {
  std::size_t count = 0;
  for (const auto& component : components)
    count += component->settings().size();
  std::vector<EffectiveSetting> effective;
  effective.reserve(count);
  std::vector<const LayerView*> winners;
  bool sorted = true;
  for (const auto& component : components) {
    const std::vector<SettingSchema>& settings = component->settings();
    if (settings.empty()) continue;
    sorted = sorted && (effective.empty() || effective.back().schema->key < settings.front().key);
    const std::size_t first = effective.size();
    for (const SettingSchema& setting : settings) {
      effective.push_back({&setting, &setting.default_value, nullptr, 0});
    }
    winners.assign(settings.size(), nullptr);
    for (const LayerView& layer : layers)
      lay_over(*component, layer, effective.data() + first, winners.data());
  }
  if (!sorted) {
    std::sort(effective.begin(), effective.end(), [](const EffectiveSetting& a, const EffectiveSetting& b) {
      return a.schema->key < b.schema->key;
    });
  }
  return effective;
}

std::vector<StackEntry> stack_of(std::string_view key, const Component* component,
                                 std::span<const LayerView> layers) {
  std::vector<StackEntry> stack;
  std::size_t winning = 0;
  const LayerView* winner = nullptr;
  for (const LayerView& layer : layers) {
    const auto entry = layer.values->find(key);
    if (entry == layer.values->end()) continue;
    const bool accepted = component == nullptr || accepts(*component, key, entry->second);
    const std::int64_t winning_revision = winner == nullptr ? 0 : stack[winning].entry->revision;
    if (accepted && !loses(layer, entry->second, winner, winning_revision)) {
      winner = &layer;
      winning = stack.size();
    }
    stack.push_back({&layer, &entry->second, accepted, false});
  }
  if (winner != nullptr) stack[winning].effective = true;
  return stack;
}

std::optional<StackEntry> winner_of(std::string_view key, const Component* component,
                                    std::span<const LayerView> layers) {
  for (const StackEntry& entry : stack_of(key, component, layers)) {
    if (entry.effective) return entry;
  }
  return std::nullopt;
}

}  // namespace starling::protocol
