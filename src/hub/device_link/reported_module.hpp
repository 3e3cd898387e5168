// Purpose: what a device has reported of one of its modules. Owner: none; pure. Thread: any. Lifetime: what
// is returned lives in the facts.
#pragma once

#include <string_view>

#include "hub/device_link/device_records.hpp"
#include "hub/device_link/told_json.hpp"

namespace starling::hub {

// nullptr: nothing.
inline const JsonObject* reported_module(const DeviceFacts& facts, std::string_view module) {
  const JsonObject* modules = object_in(facts.reported, "modules");
  return modules == nullptr ? nullptr : object_in(*modules, module);
}

inline bool says(const JsonObject& module, std::string_view member, bool value) {
  const Json* said = module.if_contains(member);
  return said != nullptr && *said == Json(value);
}

// It is neither being enabled nor has something of it still to end.
inline bool is_settled(const JsonObject& module) {
  return !says(module, "provisional", true) && !says(module, "ending", true) &&
         !says(module, "settled", false);
}

}  // namespace starling::hub
