// Purpose: what JSON Schema leaves open and a setting needs: one form of each value, a closed list of
// keywords, and a sentence that says what is wrong with a value. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/setting_pattern.hpp"

namespace starling::protocol {

// The value as canonical JSON reads back: a number without a fraction becomes an integer (5.0 is 5).
// Refused, because they would not survive the way to a device and back: null (a merge patch would remove it),
// integers beyond 2^53 (RFC 8785 rounds them), U+0000, strings over 4096 bytes, more than 16 levels or 10,000
// values. Errors: invalid_argument; `field` is a JSON pointer into the value, the message goes on after the
// value's name.
Result<Json> normalise_setting(const Json& value);

// Checks that a property's schema uses only keywords that are enforced here, each with an operand of the
// right type. `pattern` may stand at the top and inside items, properties and additionalProperties: the
// others are left to a validator that could not match it safely. Errors: invalid_argument; `field` continues
// `pointer`.
Result<void> check_setting_schema(const Json& schema, const std::string& pointer);

struct Violation {
  std::string pointer;  // into the value
  std::string message;  // goes on after the value's name: "must be <= 1 (got 1.5)"
};

// The first violation of a keyword that has a plain sentence, `pattern` among them; nothing if the value
// breaks only others.
std::optional<Violation> explain_violation(const SettingPatterns& patterns, const Json& schema,
                                           const Json& value, const std::string& pointer = {});

// One reference token of RFC 6901.
std::string pointer_token(std::string_view key);

}  // namespace starling::protocol
