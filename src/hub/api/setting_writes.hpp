// Purpose: a write of settings as a planned write: within the author's reach, with its conflicts as the
// answer, and with what masks it. Owner: none. Thread: the hub's. Lifetime: none.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

Writer::Planner setting_write_planner(SettingsWrite write, Reach reach);

}  // namespace starling::hub
