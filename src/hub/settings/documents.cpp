#include "hub/settings/documents.hpp"

#include <algorithm>

#include "hub/rollouts/rollout_edits.hpp"
#include "hub/rollouts/rollout_record.hpp"
#include "hub/settings/assets.hpp"
#include "hub/settings/refusal.hpp"
#include "hub/settings/wanted_modules.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"

namespace starling::hub {

namespace {

using protocol::LayerKind;

constexpr std::size_t kept_sections = 64;
constexpr std::size_t kept_classes = 64;

std::vector<std::shared_ptr<const protocol::Component>> components_named(const protocol::Catalog& catalog,
                                                                         std::string_view names) {
  std::vector<std::shared_ptr<const protocol::Component>> components;
  for (const std::string_view name : split_names(names)) {
    if (auto component = catalog.shared(name)) components.push_back(std::move(component));
  }
  return components;
}

SharedSection empty_section(protocol::Section name) {
  auto none = std::make_shared<DesiredSection>();
  none->name = name;
  none->hash = protocol::empty_section_hash();
  none->json = JsonObject();
  none->text = "{}";
  return none;
}

std::optional<std::string> wanted_release(const FleetState& state, const Device& device) {
  const auto winner =
      protocol::winner_of(protocol::software_release_key, nullptr, state.stack(device).layers);
  if (!winner || !winner->entry->value.is_string()) return std::nullopt;
  return std::string(winner->entry->value.get_string());
}

bool is_device_layer(LayerKind kind) {
  return kind == LayerKind::device || kind == LayerKind::policy_device;
}

// What the device does not see yet, because it comes with a release that does not run there.
HeldBack held_back(const FleetState& state, const Device& device, const Declared& declared) {
  return declared.ties ? state.held_back(device, declared.runs) : HeldBack{};
}

// What is still held back from it once it runs the release that it shall.
HeldBack held_then(const FleetState& state, const Device& device) {
  return state.held_back(device, resolve_software(state, device).hash);
}

FleetState::Stack stack_without(const FleetState& state, const Device& device, const Withheld& without) {
  return state.stack(device, without.rollouts,
                     without.quarantine ? kept_persona(*without.quarantine) : std::nullopt);
}

// All that its document is resolved from: the release from the first, its settings and modules from the one
// without what is held back, and what is tied to the release from the one that it will have then.
std::vector<FleetState::Stack> stacks_of(const FleetState& state, const Device& device,
                                         const Withheld& without) {
  const HeldBack& held = without.rollouts;
  std::vector<FleetState::Stack> stacks{state.stack(device)};
  if (held.empty() && !without.quarantine) return stacks;
  stacks.push_back(stack_without(state, device, without));
  if (held.empty()) return stacks;
  const HeldBack then = held_then(state, device);
  if (!then.empty() && then != held)
    stacks.push_back(stack_without(state, device, {then, without.quarantine}));
  return stacks;
}

std::string kept_values(const Quarantine& quarantine) {
  std::string text;
  for (const QuarantinedSetting& each : quarantine) {
    text += "\nkeeps " + each.key + '\t' + std::to_string(each.revision) + '\t';
    text += boost::json::serialize(each.value);
  }
  return text;
}

// Everything that tells one class from another. A stack holds the persona's layer only if that has values,
// so the persona is named apart.
std::string class_key(const FleetState& state, const std::vector<FleetState::Stack>& stacks,
                      const Declared& declared, const HeldBack& held) {
  std::string key = state.fleet() + '\n' + declared.components + '\n' + declared.modules + '\n' +
                    (declared.software ? "s" : "");
  for (const FleetState::Stack& stack : stacks) {
    key += '\n';
    if (stack.persona != nullptr) key += stack.persona->name;
    for (const protocol::LayerView& view : stack.layers) {
      key += '\n' + view.id->text() + '\t' + std::to_string(view.rank);
      key += '\t';
      key += view.form;
    }
  }
  for (const std::string& rollout : held)
    key += "\nwithout " + rollout;
  if (declared.quarantine) key += kept_values(*declared.quarantine);
  return key;
}

}  // namespace

bool DesiredSection::holds_back(std::string_view key) const {
  return std::ranges::find(quarantined, key) != quarantined.end();
}

const Json* DesiredSection::value(std::string_view key) const {
  if (key == protocol::software_release_key) return json.get_object().if_contains("release");
  const auto module = protocol::module_of(key);
  const Json* found = json.get_object().if_contains(module ? *module : std::string_view("settings"));
  return found == nullptr ? nullptr
                          : found->get_object().if_contains(module ? std::string_view("enabled") : key);
}

ChangeScope scope_of(const Change& change) {
  ChangeScope scope;
  for (const Edit& edit : change.edits) {
    switch (edit.kind) {
      case EntityKind::key:
      case EntityKind::action:
      case EntityKind::release: break;
      case EntityKind::device: scope.devices.push_back(edit.id); break;
      case EntityKind::setting: {
        const auto id = SettingId::parse(edit.id);
        if (id && is_device_layer(id->layer.kind)) {
          scope.devices.push_back(id->layer.scope);
        } else {
          scope.whole_fleet = true;
        }
        break;
      }
      case EntityKind::persona:
      case EntityKind::group:
      case EntityKind::rollout:
      case EntityKind::asset:
      case EntityKind::component: scope.whole_fleet = true; break;
    }
  }
  std::ranges::sort(scope.devices);
  const auto repeats = std::ranges::unique(scope.devices);
  scope.devices.erase(repeats.begin(), repeats.end());
  return scope;
}

protocol::Section section_of(std::string_view key) {
  if (key == protocol::software_release_key) return protocol::Section::software;
  return protocol::is_module_key(key) ? protocol::Section::modules : protocol::Section::settings;
}

Sections sections_of(const RolloutPlan& rollout) {
  Sections touched;
  for (const RolloutValue& each : rollout.values) {
    const protocol::Section section = section_of(each.setting.key);
    touched.modules = touched.modules || section == protocol::Section::modules;
    touched.software = touched.software || section == protocol::Section::software;
    touched.settings = touched.settings || section == protocol::Section::settings;
  }
  return touched;
}

// A persona, a group or labels bring the values of their layers along.
Sections sections_of(const Change& change, const FleetState& state) {
  Sections touched;
  const auto layer = [&](LayerKind kind, std::string scope) {
    const protocol::LayerValues& values = state.layer({kind, std::move(scope)});
    touched.modules = touched.modules || says_of_modules(values);
    touched.software = touched.software || values.contains(protocol::software_release_key);
  };
  const auto group = [&](const std::string& name) {
    layer(LayerKind::group, name);
    layer(LayerKind::policy_group, name);
  };
  for (const Edit& edit : change.edits) {
    if (edit.kind == EntityKind::key || edit.kind == EntityKind::action) continue;
    if (edit.kind == EntityKind::release) continue;
    if (edit.kind == EntityKind::rollout) {
      const auto rollout = state.rollouts().find(edit.id);
      if (rollout == state.rollouts().end()) continue;
      const Sections brought = sections_of(rollout->second->plan);
      touched.modules = touched.modules || brought.modules;
      touched.software = touched.software || brought.software;
      touched.settings = touched.settings || brought.settings;
      continue;
    }
    const auto id = edit.kind == EntityKind::setting ? SettingId::parse(edit.id) : Result<SettingId>();
    const bool module = edit.kind == EntityKind::setting && id && protocol::is_module_key(id->key);
    // A group that was made for a write of the same change only says where that goes.
    const bool new_group = edit.kind == EntityKind::group && edit.before.is_null();
    const bool software = edit.kind == EntityKind::setting && id && id->key == protocol::software_release_key;
    touched.modules = touched.modules || module;
    touched.software = touched.software || software;
    touched.settings = touched.settings || (!module && !software && !new_group);
    if (edit.kind == EntityKind::group) group(edit.id);
    if (edit.kind == EntityKind::device) {
      for (const auto& [name, each] : state.groups())
        group(name);
    }
    if (edit.kind != EntityKind::setting || !id || id->key != protocol::persona_active_key) continue;
    for (const Json* persona : {&edit.before, &edit.after}) {
      if (persona->is_string()) layer(LayerKind::persona, std::string(persona->get_string()));
    }
  }
  if (!touched.modules && !touched.software) touched.settings = true;
  return touched;
}

std::vector<protocol::EffectiveSetting> resolve_effective(const FleetState& state, const Device& device,
                                                          const std::string& components) {
  return protocol::resolve(components_named(state.catalog(), components), state.stack(device).layers);
}

DesiredSection resolve_settings(const FleetState& state, const Device& device, const std::string& components,
                                const Withheld& without) {
  const FleetState::Stack stack = stack_without(state, device, without);
  const auto declared = components_named(state.catalog(), components);
  auto effective = protocol::resolve(declared, stack.layers);
  DesiredSection section;
  if (without.quarantine) section.quarantined = lay_over(*without.quarantine, state, stack, effective);
  JsonObject persona;
  if (stack.persona != nullptr) {
    persona = stack.persona->fields;
    persona["name"] = stack.persona->name;
  }
  protocol::Assets files = named_assets(state, effective, persona);
  section.json =
      protocol::make_settings_document(declared, effective, std::move(persona), std::move(files)).to_json();
  section.text = protocol::canonical_json(section.json);
  section.hash = sha256(section.text);
  section.revision = state.revision();
  if (stack.persona != nullptr) section.persona = stack.persona->name;
  return section;
}

DesiredSection resolve_modules(const FleetState& state, const Device& device, const std::string& modules,
                               const Withheld& without) {
  DesiredSection section;
  section.name = protocol::Section::modules;
  section.json =
      protocol::to_json(enabled_of(wanted_modules(stack_without(state, device, without), modules)));
  section.text = protocol::canonical_json(section.json);
  section.hash = sha256(section.text);
  section.revision = state.revision();
  return section;
}

DesiredSection resolve_software(const FleetState& state, const Device& device, protocol::TiedSections with) {
  protocol::SoftwareDocument document{wanted_release(state, device), std::move(with)};
  DesiredSection section;
  section.name = protocol::Section::software;
  section.json = document.to_json();
  section.text = protocol::canonical_json(section.json);
  section.hash = sha256(section.text);
  section.revision = state.revision();
  return section;
}

Documents::Documents(ChangeLog& log)
    : log_(log),
      no_modules_(empty_section(protocol::Section::modules)),
      no_software_(empty_section(protocol::Section::software)) {
  log_.observe(*this);
}

Documents::~Documents() {
  log_.stop_observing(*this);
}

SharedClass Documents::class_of(const FleetState& state, const Device& device, const Declared& declared) {
  HeldBack held = held_back(state, device, declared);
  const std::vector<FleetState::Stack> stacks = stacks_of(state, device, {held, declared.quarantine});
  auto& known = classes_[class_key(state, stacks, declared, held)];
  if (SharedClass found = known.lock()) return found;
  auto made = std::make_shared<DeviceClass>();
  made->declared_ = declared;
  made->held_ = std::move(held);
  for (const FleetState::Stack& stack : stacks) {
    for (const protocol::LayerView& view : stack.layers)
      made->layers_.push_back(*view.id);
    if (stack.persona != nullptr) made->personas_.push_back(stack.persona->name);
  }
  known = made;
  made_lately_.push_back(made);
  if (made_lately_.size() > kept_classes) made_lately_.pop_front();
  forget_unused();
  return made;
}

bool Documents::still_right(const DeviceClass& device_class, const FleetState& state) const {
  if (!device_class.document_.settings) return false;
  const std::int64_t since = device_class.resolved_revision_;
  if (state.catalog_revision() > since || state.assets_revision() > since) return false;
  const auto changed_persona = [&](const std::string& name) { return state.persona_revision(name) > since; };
  const auto changed_layer = [&](const protocol::LayerId& id) { return state.layer_revision(id) > since; };
  return std::ranges::none_of(device_class.personas_, changed_persona) &&
         std::ranges::none_of(device_class.layers_, changed_layer);
}

// A section that has come out the same stays the one that it was.
SharedSection Documents::keep(DesiredSection resolved, const SharedSection& former) {
  if (former && former->hash == resolved.hash && former->quarantined == resolved.quarantined) {
    recent_[former->hash] = former;
    return former;
  }
  auto kept = std::make_shared<const DesiredSection>(std::move(resolved));
  recent_[kept->hash] = kept;
  newest_.push_back(kept);
  if (newest_.size() > kept_sections) newest_.pop_front();
  return kept;
}

const DesiredDocument& Documents::document(DeviceClass& device_class, const FleetState& state,
                                           const Device& member) {
  if (const DesiredDocument* known = resolved_document(device_class, state)) return *known;
  DesiredDocument& document = device_class.document_;
  const Declared& declared = device_class.declared_;
  const Withheld without{device_class.held_, declared.quarantine};
  document.settings = keep(resolve_settings(state, member, declared.components, without), document.settings);
  document.modules = declared.modules.empty()
                         ? no_modules_
                         : keep(resolve_modules(state, member, declared.modules, without), document.modules);
  document.software =
      declared.software ? keep(resolve_software(state, member, tied_to_release(device_class, state, member)),
                               document.software)
                        : no_software_;
  ++counters_.resolved_documents;
  device_class.resolved_revision_ = device_class.checked_revision_ = state.revision();
  forget_unused();
  return document;
}

// What its settings and modules will be once it runs the release that it shall, as patches on those of now:
// modules too that the release may bring, and the device does not have yet.
protocol::TiedSections Documents::tied_to_release(const DeviceClass& device_class, const FleetState& state,
                                                  const Device& member) const {
  const HeldBack& held = device_class.held_;
  if (held.empty()) return {};
  const Declared& declared = device_class.declared_;
  const HeldBack then = held_then(state, member);
  if (then == held) return {};
  std::string modules = declared.modules;
  for (const std::string& id : held) {
    if (std::ranges::find(then, id) != then.end()) continue;
    for (const RolloutValue& each : state.rollouts().at(id)->plan.values) {
      if (const auto module = protocol::module_of(each.setting.key)) modules += ',' + std::string(*module);
    }
  }
  const auto patch_from = [](const DesiredSection& now, const DesiredSection& next) {
    return std::move(protocol::make_merge_patch(now.json, next.json).as_object());
  };
  const DesiredDocument& now = device_class.document_;
  const Withheld without{then, declared.quarantine};
  return {patch_from(*now.settings, resolve_settings(state, member, declared.components, without)),
          patch_from(*now.modules, resolve_modules(state, member, modules, without))};
}

const DesiredDocument* Documents::resolved_document(DeviceClass& device_class,
                                                    const FleetState& state) const {
  if (device_class.checked_revision_ == state.revision()) return &device_class.document_;
  if (!still_right(device_class, state)) return nullptr;
  device_class.checked_revision_ = state.revision();
  return &device_class.document_;
}

DesiredDocument Documents::desired(const FleetState& state, const Device& device, const Declared& declared) {
  const SharedClass device_class = class_of(state, device, declared);
  return document(*device_class, state, device);
}

Quarantine Documents::quarantined_by(const DocumentRefusal& refusal, const FleetState& state,
                                     const Device& device, const Declared& declared) const {
  const FleetState::Stack stack =
      stack_without(state, device, {held_back(state, device, declared), declared.quarantine});
  auto effective = protocol::resolve(components_named(state.catalog(), declared.components), stack.layers);
  if (declared.quarantine) lay_over(*declared.quarantine, state, stack, effective);
  return hub::quarantined_by(refusal, state, stack, effective);
}

SharedSection Documents::recent(const Digest& hash) const {
  const auto found = recent_.find(hash);
  return found == recent_.end() ? nullptr : found->second.lock();
}

// A class is told by its stacks, so classes move when layers appear or vanish, not when values change, but
// for those that say which layers there are.
void Documents::on_change(const SharedChange& change, const FleetState& state) {
  for (const Edit& edit : change->edits) {
    if (edit.kind == EntityKind::group || edit.kind == EntityKind::rollout) ++membership_epoch_;
    if (edit.kind == EntityKind::persona && (edit.before.is_null() || edit.after.is_null())) {
      ++membership_epoch_;
    }
    if (edit.kind != EntityKind::setting) continue;
    const auto id = SettingId::parse(edit.id);
    if (!id || is_device_layer(id->layer.kind)) continue;
    const std::size_t values = state.layer(id->layer).size();
    const bool appeared = edit.before.is_null() && values <= change->edits.size();
    const bool vanished = edit.after.is_null() && values == 0;
    // For whom a rollout admits the layer may be empty, or not, beside what is written there.
    const bool held = rollout_to(state, id->layer) != nullptr;
    const bool selects = id->key == protocol::persona_active_key || id->key == protocol::software_release_key;
    if (appeared || vanished || held || selects) ++membership_epoch_;
  }
}

void Documents::forget_unused() {
  if (classes_.size() + recent_.size() < sweep_at_) return;
  std::erase_if(classes_, [](const auto& entry) { return entry.second.expired(); });
  std::erase_if(recent_, [](const auto& entry) { return entry.second.expired(); });
  sweep_at_ = 2 * (classes_.size() + recent_.size()) + 64;
}

}  // namespace starling::hub
