#include "hub/settings/wanted_modules.hpp"

namespace starling::hub {

WantedModules wanted_modules(const FleetState::Stack& stack, std::string_view declared) {
  WantedModules wanted;
  if (declared.empty()) return wanted;
  for (const std::string_view name : split_names(declared)) {
    const auto winner = protocol::winner_of(protocol::enabled_key(name), nullptr, stack.layers);
    if (!winner || !winner->entry->value.is_bool()) continue;
    wanted.emplace(
        name, WantedModule{winner->entry->value.get_bool(), *winner->layer->id, winner->entry->revision});
  }
  return wanted;
}

protocol::EnabledModules enabled_of(const WantedModules& wanted) {
  protocol::EnabledModules enabled;
  for (const auto& [name, module] : wanted)
    enabled.emplace(name, module.enabled);
  return enabled;
}

bool says_of_modules(const protocol::LayerValues& values) {
  const auto first = values.lower_bound(protocol::module_key_prefix);
  return first != values.end() && protocol::is_module_key(first->first);
}

std::string joined_names(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) {
    if (!joined.empty()) joined += ',';
    joined += name;
  }
  return joined;
}

std::vector<std::string_view> split_names(std::string_view names) {
  std::vector<std::string_view> split;
  while (!names.empty()) {
    const std::size_t comma = names.find(',');
    split.push_back(names.substr(0, comma));
    names = comma == std::string_view::npos ? std::string_view{} : names.substr(comma + 1);
  }
  return split;
}

}  // namespace starling::hub
