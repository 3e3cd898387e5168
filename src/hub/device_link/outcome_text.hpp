// Purpose: what the log says of a device's refusals: those that are new by their words, and how many are not.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <vector>

#include "protocol/messages.hpp"

namespace starling::hub {

// "modules.player.enabled: no exec; and 2 as before". Empty: nothing is refused.
std::string outcome_text(const std::vector<protocol::KeyError>& errors,
                         const std::vector<protocol::KeyError>& before);

}  // namespace starling::hub
