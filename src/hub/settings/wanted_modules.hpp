// Purpose: which modules shall be enabled on a device, and who says so.
// Owner: none; pure. Thread: the hub's. Lifetime: results hold copies.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hub/state/fleet_state.hpp"
#include "protocol/modules_document.hpp"

namespace starling::hub {

struct WantedModule {
  bool enabled = false;
  protocol::LayerId layer;  // that says so
  std::int64_t revision = 0;
};

// Of the modules that lie on a device (names with commas between), those of which a layer says something.
using WantedModules = std::map<std::string, WantedModule, std::less<>>;
WantedModules wanted_modules(const FleetState::Stack& stack, std::string_view declared);

protocol::EnabledModules enabled_of(const WantedModules& wanted);

// Whether any value of a layer is a module's.
bool says_of_modules(const protocol::LayerValues& values);

// "a,b,c" as it is kept of a device.
std::string joined_names(const std::vector<std::string>& names);
std::vector<std::string_view> split_names(std::string_view names);

}  // namespace starling::hub
