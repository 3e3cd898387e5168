// Purpose: what is wrong on a device by its own words, whether or not it has what it should have: modules
// that fail, a release that did not get in, alerts. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <vector>

#include "hub/device_link/device_records.hpp"

namespace starling::hub {

// Each in one line; empty: nothing is. A module that is disabled may be as it likes.
std::vector<std::string> problems_of(const DeviceFacts& facts);
// Whether there are any; `record` may be null. Of most devices it is not even read what they said.
bool has_problems(const DeviceRecord* record);

}  // namespace starling::hub
