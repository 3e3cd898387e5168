// Purpose: what a device says of its releases, as people read it.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"

namespace starling::cli {

// "runs v1.0.0", "runs v1.0.0; v1.1.0 is waiting for modules that get up".
std::string software_state_text(const JsonObject& software);
// That, and what is in the way: "runs v1.0.0; v1.1.0 is refused: 8 MiB are missing".
std::string software_text(const JsonObject& software);
// What is in the way of the release that is wanted; empty: nothing.
std::string failure_text(const JsonObject& software);
// "v1.1.0 was reverted: 3 crashes (2 h ago)"; empty if none has failed since the last that stayed, or that is
// what failure_text() says.
std::string last_failed_text(const JsonObject& software, WallTime now);
// Of the Debian packages of the release that is in work or was last: "packages-mixed: dpkg: error ...".
std::string packages_text(const JsonObject& software);

}  // namespace starling::cli
