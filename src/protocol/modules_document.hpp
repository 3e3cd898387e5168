// Purpose: the modules section of a device's desired document, and the setting that it is made of: whether a
// module is enabled. Owner: values. Thread: any. Lifetime: none.
//
//   {"recorder": {"enabled": true}}
//
// It names the modules that lie on the device and of which a layer says something. The others are as they
// shipped.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol {

inline constexpr std::size_t max_modules = 256;  // on a device

// [a-z0-9][a-z0-9_-]{0,63}
bool valid_module_name(std::string_view name);
// The same, for people, after "it has".
inline constexpr std::string_view module_name_rule =
    "a-z, 0-9, _ and -, at most 64 of them, a letter or digit first";
// Errors: invalid_argument.
Result<void> check_module_name(std::string_view name);

// The name in "modules.recorder.enabled", which belongs to no component file; nullopt: it is another key.
std::optional<std::string_view> module_of(std::string_view key);
inline constexpr std::string_view module_key_prefix = "modules.";
// Whether a key is meant to be of that kind, be it right or not: "modules.".
bool is_module_key(std::string_view key);
std::string enabled_key(std::string_view module);

// Module → whether it shall be enabled.
using EnabledModules = std::map<std::string, bool, std::less<>>;

Json to_json(const EnabledModules& enabled);
// Members of a module that are not known are a newer hub's. Errors: invalid_argument with pointer.
Result<EnabledModules> modules_from_json(const Json& section);

}  // namespace starling::protocol
