// Purpose: what a device says of itself in a handshake, because it has changed there: its name, time zone,
// type, hardware and OS.
// Owner: values. Thread: the hub's. Lifetime: none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hub/state/change_log.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

struct ToldFacts {
  std::optional<std::string> name, timezone, device_type;
  std::optional<JsonObject> metadata;
  std::vector<protocol::KeyError> errors;  // those that cannot be taken over

  // Members as in a registration; unknown ones are a newer agent's.
  static ToldFacts read(const JsonObject& facts);
};

// One change, if the device is not what it says already. Errors: not_found.
ChangeLog::Plan told_facts_plan(std::string device_id, ToldFacts told);

}  // namespace starling::hub
