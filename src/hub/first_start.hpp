// Purpose: what a hub puts into its fleets by itself: the first admin key, and the component files.
// Owner: Server. Thread: the hub's. Lifetime: used once, at start.
#pragma once

#include <filesystem>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/state/change_log.hpp"
#include "protocol/component.hpp"

namespace starling::hub {

// Puts those that a fleet has in another version or not at all.
ChangeLog::Plan components_plan(protocol::Catalog catalog, Logger log);

// Gives the fleet its first admin key if it has no key; `text` is the key in clear.
ChangeLog::Plan admin_key_plan(std::string text, std::int64_t now_ms);

// The key in clear that a first start will use: `given`, or a new one that is written to DIR/admin.key
// (0600). Errors: invalid_argument (`given` is too short), those of write_file_durably.
Result<std::string> first_admin_key(const std::filesystem::path& data, const std::string& given);

}  // namespace starling::hub
