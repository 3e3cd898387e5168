// Purpose: what is wrong on a device by its own words: changes that it refuses, modules that fail, a release
// that did not get in, files that cannot be used, alerts. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/device_link/device_records.hpp"

namespace starling::hub {

// Each in one line; empty: nothing is. A module that is disabled, and was not started, may be as it likes,
// but for its config.txt: somebody may have wanted to enable it there.
std::vector<std::string> problems_of(const DeviceFacts& facts);
// Of one module by its report, which goes on "module NAME "; empty: it does what it should, or need not.
std::string failure_of(const JsonObject& module);
// Whether there are any in DeviceRecord::facts. Of most devices it is not even parsed.
bool has_problems(std::string_view facts);

}  // namespace starling::hub
