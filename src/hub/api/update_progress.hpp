// Purpose: how far a device is with a release, in the words of the documents' table device_updates.
// Owner: none. Thread: the hub's. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "hub/device_link/device_records.hpp"
#include "hub/releases/repository_view.hpp"

namespace starling::hub {

// pending, downloading, installing, completed or failed. A release that waits for its hour is pending, also
// when it has been fetched. `record`: nullptr if nothing is known of the device.
std::string_view update_status(const DeviceRecord* record, std::string_view version);

// {device_id, update_id, status, scheduled_for, error_message}.
JsonObject update_progress(const std::string& device_id, const DeviceRecord* record,
                           const std::string& version, const RepositoryView& view);

}  // namespace starling::hub
