#include "hub/settings/documents.hpp"

#include <algorithm>

#include "protocol/canonical_json.hpp"

namespace starling::hub {

namespace {

using protocol::LayerKind;

constexpr std::size_t kept_sections = 64;
constexpr std::size_t kept_classes = 64;

std::vector<std::shared_ptr<const protocol::Component>> components_named(const protocol::Catalog& catalog,
                                                                         std::string_view names) {
  std::vector<std::shared_ptr<const protocol::Component>> components;
  while (!names.empty()) {
    const std::size_t comma = names.find(',');
    if (auto component = catalog.shared(names.substr(0, comma))) components.push_back(std::move(component));
    names = comma == std::string_view::npos ? std::string_view{} : names.substr(comma + 1);
  }
  return components;
}

bool is_device_layer(LayerKind kind) {
  return kind == LayerKind::device || kind == LayerKind::policy_device;
}

// Everything that tells one class from another. The stack holds the persona's layer only if that has values,
// so the persona is named apart.
std::string class_key(const FleetState& state, const FleetState::Stack& stack,
                      const std::string& components) {
  std::string key = state.fleet() + '\n' + components + '\n';
  if (stack.persona != nullptr) key += stack.persona->name;
  for (const protocol::LayerView& view : stack.layers) {
    key += '\n' + view.id->text() + '\t' + std::to_string(view.rank);
  }
  return key;
}

}  // namespace

ChangeScope scope_of(const Change& change) {
  ChangeScope scope;
  for (const Edit& edit : change.edits) {
    switch (edit.kind) {
      case EntityKind::key:
      case EntityKind::action: break;
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
      case EntityKind::component: scope.whole_fleet = true; break;
    }
  }
  std::ranges::sort(scope.devices);
  const auto repeats = std::ranges::unique(scope.devices);
  scope.devices.erase(repeats.begin(), repeats.end());
  return scope;
}

std::vector<protocol::EffectiveSetting> resolve_effective(const FleetState& state, const Device& device,
                                                          const std::string& components) {
  return protocol::resolve(components_named(state.catalog(), components), state.stack(device).layers);
}

SettingsSection resolve_document(const FleetState& state, const Device& device,
                                 const std::string& components) {
  const FleetState::Stack stack = state.stack(device);
  const auto declared = components_named(state.catalog(), components);
  const auto effective = protocol::resolve(declared, stack.layers);
  JsonObject persona;
  if (stack.persona != nullptr) {
    persona = stack.persona->fields;
    persona["name"] = stack.persona->name;
  }
  SettingsSection section;
  section.json = protocol::make_settings_document(declared, effective, std::move(persona)).to_json();
  section.text = protocol::canonical_json(section.json);
  section.hash = sha256(section.text);
  section.revision = state.revision();
  if (stack.persona != nullptr) section.persona = stack.persona->name;
  return section;
}

Documents::Documents(ChangeLog& log) : log_(log) {
  log_.observe(*this);
}

Documents::~Documents() {
  log_.stop_observing(*this);
}

SharedClass Documents::class_of(const FleetState& state, const Device& device,
                                const std::string& components) {
  const FleetState::Stack stack = state.stack(device);
  auto& known = classes_[class_key(state, stack, components)];
  if (SharedClass found = known.lock()) return found;
  auto made = std::make_shared<DeviceClass>();
  made->components_ = components;
  for (const protocol::LayerView& view : stack.layers)
    made->stack_.push_back(*view.id);
  if (stack.persona != nullptr) made->persona_ = stack.persona->name;
  known = made;
  made_lately_.push_back(made);
  if (made_lately_.size() > kept_classes) made_lately_.pop_front();
  forget_unused();
  return made;
}

bool Documents::still_right(const DeviceClass& device_class, const FleetState& state) const {
  if (!device_class.section_) return false;
  const std::int64_t since = device_class.section_->revision;
  if (state.catalog_revision() > since) return false;
  if (!device_class.persona_.empty() && state.persona_revision(device_class.persona_) > since) return false;
  return std::ranges::none_of(device_class.stack_, [&](const protocol::LayerId& layer) {
    return state.layer_revision(layer) > since;
  });
}

SharedSection Documents::section(DeviceClass& device_class, const FleetState& state, const Device& member) {
  if (SharedSection known = resolved_section(device_class, state)) return known;
  auto resolved =
      std::make_shared<SettingsSection>(resolve_document(state, member, device_class.components_));
  ++counters_.resolved_documents;
  recent_[resolved->hash] = resolved;
  newest_.push_back(resolved);
  if (newest_.size() > kept_sections) newest_.pop_front();
  device_class.section_ = std::move(resolved);
  device_class.checked_revision_ = state.revision();
  forget_unused();
  return device_class.section_;
}

SharedSection Documents::resolved_section(DeviceClass& device_class, const FleetState& state) const {
  if (device_class.checked_revision_ == state.revision()) return device_class.section_;
  if (!still_right(device_class, state)) return nullptr;
  device_class.checked_revision_ = state.revision();
  return device_class.section_;
}

SharedSection Documents::desired(const FleetState& state, const Device& device,
                                 const std::string& components) {
  const SharedClass device_class = class_of(state, device, components);
  return section(*device_class, state, device);
}

SharedSection Documents::recent(const Digest& hash) const {
  const auto found = recent_.find(hash);
  return found == recent_.end() ? nullptr : found->second.lock();
}

// A class is told by its stack, so classes move when layers appear or vanish, not when values change.
void Documents::on_change(const SharedChange& change, const FleetState& state) {
  for (const Edit& edit : change->edits) {
    if (edit.kind == EntityKind::group) ++membership_epoch_;
    if (edit.kind == EntityKind::persona && (edit.before.is_null() || edit.after.is_null())) {
      ++membership_epoch_;
    }
    if (edit.kind != EntityKind::setting) continue;
    const auto id = SettingId::parse(edit.id);
    if (!id || is_device_layer(id->layer.kind)) continue;
    const std::size_t values = state.layer(id->layer).size();
    const bool appeared = edit.before.is_null() && values <= change->edits.size();
    const bool vanished = edit.after.is_null() && values == 0;
    if (appeared || vanished || id->key == protocol::persona_active_key) ++membership_epoch_;
  }
}

void Documents::forget_unused() {
  if (classes_.size() + recent_.size() < sweep_at_) return;
  std::erase_if(classes_, [](const auto& entry) { return entry.second.expired(); });
  std::erase_if(recent_, [](const auto& entry) { return entry.second.expired(); });
  sweep_at_ = 2 * (classes_.size() + recent_.size()) + 64;
}

}  // namespace starling::hub
