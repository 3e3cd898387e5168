// Purpose: modules as tables and facts.
// Owner: values. Thread: one. Lifetime: none.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/change_text.hpp"
#include "cli/console.hpp"

namespace starling::cli {

// The fleet's: one line for each name.
std::string module_overview(const JsonArray& modules, WallTime now, const Terminal& terminal);
// One device's: what is desired beside what it has reported.
std::string module_table(const JsonArray& modules, WallTime now, const Terminal& terminal);
// Why a device has taken nothing of what is desired, by the `sync` of its modules section; empty: it has.
std::string section_refused_because(const JsonObject& sync);
// All of one module on one device, its last death with evidence and last lines. `sync` is that of the
// device's modules section, which says why one is refused.
std::string module_facts(const JsonObject& module, const JsonObject& sync, WallTime now, DeviceNames& names,
                         const Terminal& terminal);
std::string crash_table(const JsonArray& crashes, WallTime now, const Terminal& terminal);

}  // namespace starling::cli
