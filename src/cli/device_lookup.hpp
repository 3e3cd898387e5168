// Purpose: which device "bear-1", "0192f0c1-7a" or a whole UUID means.
// Owner: values. Thread: one. Lifetime: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/api_client.hpp"
#include "cli/command.hpp"

namespace starling::cli {

inline constexpr auto device_help = "UUID, unique prefix of it, or name";

// Among the hub's devices: an exact UUID or name, else a prefix of at least four characters of a UUID.
// Errors: not_found (with what was probably meant), invalid_argument (several devices; names them).
Result<std::string> match_device(std::string_view wanted, const JsonArray& devices);

// As above; asks the hub only if `wanted` is no whole UUID.
Result<std::string> find_device(ApiClient& api, std::string_view wanted);

// "offline (last seen 2 h ago)"; empty if it is not. For whatever the API shows with `status` and
// `last_seen`.
std::string offline_text(const JsonObject& device, WallTime now);

// Layer texts may name a device as people do: "device:bear-1" becomes "device:<uuid>".
Result<std::string> resolve_layer(ApiClient& api, std::string_view layer);

// For each device the shortest prefix of its UUID that tells it from the others, at least 13 characters.
std::vector<std::string> short_ids(const JsonArray& devices);

}  // namespace starling::cli
