// Purpose: how far a device is with a release, in the words of the documents' table device_updates, and when
// it began and ended.
// Owner: values. Thread: the hub's. Lifetime: none.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

// Of one device with one release.
struct UpdateTimes {
  Digest section;               // that names the release, without what comes with it
  std::int64_t started_ms = 0;  // when it began to fetch or install; 0: it never said
  std::int64_t ended_ms = 0;    // completed or failed; 0: not yet
  bool operator==(const UpdateTimes&) const = default;
};

// Of the releases that it was busy with last, the newest first.
inline constexpr std::size_t max_update_times = 4;

// pending, downloading, installing, completed or failed. A release that waits for its hour is pending, also
// when it has been fetched. `state`: what the agent said of its work last; "" if nothing.
std::string_view update_status(const SectionRecord& told, std::string_view state, const Digest& section);
bool is_work(std::string_view status);  // downloading, installing

// Of the section that names the release and brings nothing else.
Digest section_hash_of(std::string_view version);

// nullptr: it never was busy with it.
const UpdateTimes* times_of(const std::vector<UpdateTimes>& times, const Digest& section);
// That a device is as far as `status` now.
void note_update(std::vector<UpdateTimes>& times, const Digest& section, std::string_view status,
                 std::int64_t now_ms);
// The same by what a device with a link said of the release that it was told of last. `reported`: by its
// heartbeats.
void note_update(std::vector<UpdateTimes>& times, const SectionRecord& told, const JsonObject& reported,
                 std::int64_t now_ms);

JsonArray to_json(const std::vector<UpdateTimes>& times);
std::vector<UpdateTimes> update_times_from_json(const Json* stored);

}  // namespace starling::hub
