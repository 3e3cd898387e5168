#include "hub/api/update_progress.hpp"

#include "hub/api/device_description.hpp"
#include "hub/device_link/running_release.hpp"

namespace starling::hub {

namespace {

// As it was sent: with what comes along its hash is another one, and the agent says of which release it is.
Digest section_sent_for(const DeviceRecord& record, std::string_view version) {
  const Digest plain = section_hash_of(version);
  const SectionRecord& told = record.software;
  const bool is_settled = told.running == plain || told.running == told.target;
  if (is_settled || release_in_work(record) != version) return plain;
  const bool is_over = told.refused && told.phase != protocol::Phase::staging;  // else it is a former one
  return is_over ? told.refused : told.target;
}

// "not_before" of a schedule is the only part that is a moment: all else is the device's local time.
Json scheduled_for(const RepositoryView& view, const std::string& version) {
  const auto schedule = view.schedules.find(version);
  const Json* time = schedule == view.schedules.end() ? nullptr : schedule->second.if_contains("not_before");
  return time == nullptr ? Json() : *time;
}

// What ended is of a former time, unless it is as it ended.
UpdateTimes shown_times(const std::vector<UpdateTimes>& all, std::string_view version,
                        std::string_view status) {
  const UpdateTimes* times = times_of(all, section_hash_of(version));
  const bool ended = status == "completed" || status == "failed";
  return times != nullptr && (times->ended_ms == 0 || ended) ? *times : UpdateTimes();
}

}  // namespace

std::string_view update_status(const DeviceRecord* record, std::string_view version) {
  if (record == nullptr) return "pending";
  const SectionRecord& told = record->software;
  if (told.phase != protocol::Phase::provisional && running_release(record) == version) return "completed";
  return update_status(told, release_state(*record), section_sent_for(*record, version));
}

JsonObject update_progress(const std::string& device_id, const DeviceRecord* record,
                           const std::string& version, const RepositoryView& view) {
  const std::string_view status = update_status(record, version);
  DeviceFacts facts;
  if (record != nullptr) facts = DeviceFacts::parse(record->facts).value_or(DeviceFacts{});
  const bool failed = status == "failed" && !facts.software_errors.empty();
  const UpdateTimes times = shown_times(facts.updates, version, status);
  return JsonObject{{"device_id", device_id},
                    {"update_id", version},
                    {"status", status},
                    {"scheduled_for", scheduled_for(view, version)},
                    {"started_at", shown_time(times.started_ms)},
                    {"completed_at", shown_time(times.ended_ms)},
                    {"error_message", failed ? Json(facts.software_errors.front().message) : Json()}};
}

}  // namespace starling::hub
