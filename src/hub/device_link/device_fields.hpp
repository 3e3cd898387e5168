// Purpose: the fields of a device that its registration, heartbeats and operators write, with their limits.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "protocol/selector.hpp"

namespace starling::hub {

// All errors: invalid_argument with pointer. Absent and null give the empty optional.
Result<std::optional<std::string>> optional_name(const JsonReader& reader, std::string_view field);
Result<std::optional<std::string>> optional_timezone(const JsonReader& reader);     // "timezone"
Result<std::optional<std::string>> optional_device_type(const JsonReader& reader);  // "device_type"
Result<std::optional<JsonObject>> optional_metadata(const JsonReader& reader);  // "metadata", at most 16 KiB
Result<protocol::Labels> optional_labels(const JsonReader& reader);             // "labels"
Result<std::string> optional_public_key(const JsonReader& reader);              // "public_key"; "" if absent
Result<std::string> optional_token_text(const JsonReader& reader, std::string_view field,
                                        std::size_t max_bytes);  // no control characters; "" if absent

Result<void> check_status(std::string_view status);  // online, offline, updating
bool is_sync_status(std::string_view text);

}  // namespace starling::hub
