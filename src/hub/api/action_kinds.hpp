// Purpose: the actions that exist: who may ask for them, of how many devices, with which parameters.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "hub/state/entity.hpp"

namespace starling::hub {

struct ActionKind {
  std::string_view name;
  Role role = Role::operator_;
  std::size_t max_devices = SIZE_MAX;  // of one request
  // Errors: invalid_argument with the pointer /parameters/...
  Result<void> (*check)(const JsonObject& parameters) = nullptr;
};

// Errors: invalid_argument.
Result<const ActionKind*> action_kind(std::string_view name);

// The most that collect_logs may ask for. Escaped at worst to the double, it fits one message of the link.
inline constexpr std::int64_t max_collected_bytes = 120'000;

}  // namespace starling::hub
