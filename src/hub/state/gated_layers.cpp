#include "hub/state/gated_layers.hpp"

#include <algorithm>

#include "hub/rollouts/rollout_record.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {
namespace {

using protocol::LayerEntry;
using protocol::LayerId;
using protocol::LayerValues;

void lay_over(LayerValues& values, const LayerId& layer, const RolloutRecord& rollout,
              const protocol::Catalog& catalog) {
  for (const RolloutValue& each : rollout.plan.values) {
    if (each.setting.layer != layer) continue;
    if (each.value.is_null()) {
      values.erase(each.setting.key);
      continue;
    }
    LayerEntry entry{each.value, rollout.started, {}, rollout.id};
    const auto* component = catalog.component(protocol::component_of(each.setting.key));
    if (component != nullptr && component->validate(each.setting.key, each.value)) {
      entry.accepted_by = component->schema_hash();
    }
    values.insert_or_assign(each.setting.key, std::move(entry));
  }
}

}  // namespace

void GatedLayers::put(const std::shared_ptr<const RolloutRecord>& rollout) {
  remove(rollout->id);
  if (has_ended(started_from(rollout->state))) return;
  for (const RolloutValue& each : rollout->plan.values) {
    Rollouts& there = rollouts_[each.setting.layer];
    if (std::ranges::find(there, rollout) != there.end()) continue;
    there.push_back(rollout);
    std::ranges::stable_sort(there, {}, &RolloutRecord::started);
  }
  Tied tied{rollout, {}};
  for (std::string& release : tied_releases(rollout->plan))
    tied.sections.push_back(protocol::hash_of(protocol::SoftwareDocument{std::move(release)}.to_json()));
  if (!tied.sections.empty()) tied_.push_back(std::move(tied));
}

void GatedLayers::remove(std::string_view rollout) {
  for (auto& [layer, there] : rollouts_)
    std::erase_if(there, [&](const auto& each) { return each->id == rollout; });
  std::erase_if(rollouts_, [](const auto& each) { return each.second.empty(); });
  std::erase_if(tied_, [&](const Tied& each) { return each.rollout->id == rollout; });
  forms_.clear();
}

void GatedLayers::layer_changed(const LayerId& layer) {
  std::erase_if(forms_, [&](const auto& each) { return each.first.first == layer; });
}

const RolloutRecord* GatedLayers::holder(const SettingId& setting) const {
  const auto found = rollouts_.find(setting.layer);
  if (found == rollouts_.end()) return nullptr;
  const RolloutRecord* newest = nullptr;
  for (const auto& rollout : found->second) {
    for (const RolloutValue& each : rollout->plan.values) {
      if (each.setting.layer == setting.layer && each.setting.key == setting.key) newest = rollout.get();
    }
  }
  return newest;
}

HeldBack GatedLayers::held_back(const Device& device, const Digest& software) const {
  HeldBack held;
  for (const Tied& each : tied_) {
    const bool runs = std::ranges::find(each.sections, software) != each.sections.end();
    if (!runs && each.rollout->gate().admits(device.id, device.labels)) held.push_back(each.rollout->id);
  }
  return held;
}

std::optional<GatedLayers::Form> GatedLayers::form_for(const LayerId& layer, const Device& device,
                                                       const LayerValues& written,
                                                       const protocol::Catalog& catalog,
                                                       const HeldBack& held) const {
  const auto found = rollouts_.find(layer);
  if (found == rollouts_.end()) return {};
  FormId id{layer, ""};
  Rollouts admitting;
  for (const auto& rollout : found->second) {
    if (std::ranges::find(held, rollout->id) != held.end()) continue;
    if (!rollout->gate().admits(device.id, device.labels)) continue;
    id.second += rollout->id + ' ';
    admitting.push_back(rollout);
  }
  if (admitting.empty()) return {};
  const auto [form, is_new] = forms_.try_emplace(std::move(id));
  if (is_new) {
    LayerValues values = written;
    for (const auto& rollout : admitting)
      lay_over(values, layer, *rollout, catalog);
    form->second = std::make_shared<const LayerValues>(std::move(values));
  }
  return Form{&form->first.first, form->second.get(), form->first.second};
}

}  // namespace starling::hub
