// Purpose: config_override.json, what a person on the device sees of the settings: those that differ from
// their defaults, by alias where they have one. Derived; an edit by hand is read back as a proposal. Owner:
// none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "agent/settings/values.hpp"
#include "base/result.hpp"
#include "protocol/component.hpp"

namespace starling::agent {

inline constexpr std::string_view override_path = "config_override.json";
inline constexpr std::string_view override_aside_path = "config_override.rejected.json";
inline constexpr std::size_t max_override_bytes = 256 * 1024;

// Deterministic: equal values have equal text.
std::string override_text(const protocol::Catalog& catalog, const Values& values);

// What the text says, by full key, with every value validated. The file is taken whole or not at all.
// Errors: invalid_argument, naming the key.
Result<Values> parse_override(const protocol::Catalog& catalog, std::string_view text);

// What somebody changed by hand: key → new value, null for a key that was taken out of the file.
Values override_edits(const protocol::Catalog& catalog, const Values& running, const Values& file);

}  // namespace starling::agent
