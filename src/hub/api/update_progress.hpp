// Purpose: how far a device is with a release, in the words of the documents' table device_updates.
// Owner: none. Thread: the hub's. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "hub/device_link/device_records.hpp"
#include "hub/releases/repository_view.hpp"

namespace starling::hub {

// Of a device; `record`: nullptr if nothing is known of it.
std::string_view update_status(const DeviceRecord* record, std::string_view version);

// {device_id, update_id, status, scheduled_for, started_at, completed_at, error_message}.
JsonObject update_progress(const std::string& device_id, const DeviceRecord* record,
                           const std::string& version, const RepositoryView& view);

}  // namespace starling::hub
