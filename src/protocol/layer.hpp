// Purpose: names the source of a setting's value, and says which source beats which.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling::protocol {

// Lowest first. Policy beats everything; inside policy the nearer scope wins.
enum class LayerKind { defaults, fleet, persona, group, device, policy_fleet, policy_group, policy_device };

struct LayerId {
  LayerKind kind = LayerKind::fleet;
  std::string scope;  // persona name, group name or device id; empty for defaults, fleet and policy_fleet

  auto operator<=>(const LayerId&) const = default;

  // "defaults", "fleet", "persona:TARS", "group:room=lab", "device:<uuid>", "policy",
  // "policy/group:room=lab", "policy/device:<uuid>"
  std::string text() const;
  static Result<LayerId> parse(std::string_view text);  // invalid_argument
};

}  // namespace starling::protocol
