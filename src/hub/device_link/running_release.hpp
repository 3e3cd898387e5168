// Purpose: which release a device says that it runs, and what it says of its work on another.
// Owner: none. Thread: the hub's. Lifetime: none.
#pragma once

#include <string>

#include "hub/device_link/device_records.hpp"

namespace starling::hub {

// The version; "" if it runs none or has not said. Of a client without a link it is the documents'
// current_version. `record`: nullptr if nothing is known of the device.
std::string running_release(const DeviceRecord* record);

// What its agent said of its work on a release last: "downloading", "waiting", ...; "" if nothing.
std::string release_state(const DeviceRecord& record);

// It fetches or installs one, or has it on trial.
bool is_updating(const DeviceRecord& record);

// The version that its agent works on, or has not taken; "" if none.
std::string release_in_work(const DeviceRecord& record);

// Whether its agent switches to a release with the settings and modules that come with it.
bool ties_sections(const DeviceRecord& record);

}  // namespace starling::hub
