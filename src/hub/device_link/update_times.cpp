#include "hub/device_link/update_times.hpp"

#include <algorithm>

#include "hub/device_link/told_json.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

using protocol::Phase;

namespace {

// The section is staging from the first byte until the release is tried; the agent says more.
std::string_view staging_status(std::string_view state) {
  if (state.empty() || state == "downloading") return "downloading";
  return state == "installing" ? "installing" : "pending";
}

// What comes with a release is in the hash until that runs; of which it is the agent says.
Digest section_worked_on(const SectionRecord& told, std::string_view version) {
  return told.running == told.target || version.empty() ? told.target : section_hash_of(version);
}

}  // namespace

std::string_view update_status(const SectionRecord& told, std::string_view state, const Digest& section) {
  if (told.phase == Phase::provisional && told.running == section) return "installing";
  if (told.running == section) return "completed";
  if (told.refused == section) return "failed";
  if (told.target != section) return "pending";
  if (told.phase == Phase::provisional) return "installing";
  return told.phase == Phase::staging ? staging_status(state) : "pending";
}

bool is_work(std::string_view status) {
  return status == "downloading" || status == "installing";
}

Digest section_hash_of(std::string_view version) {
  return protocol::hash_of(protocol::SoftwareDocument{std::string(version)}.to_json());
}

const UpdateTimes* times_of(const std::vector<UpdateTimes>& times, const Digest& section) {
  const auto found = std::ranges::find(times, section, &UpdateTimes::section);
  return found == times.end() ? nullptr : &*found;
}

void note_update(std::vector<UpdateTimes>& times, const Digest& section, std::string_view status,
                 std::int64_t now_ms) {
  const UpdateTimes* known = times_of(times, section);
  const bool open = known != nullptr && known->ended_ms == 0;
  UpdateTimes noted = open ? *known : UpdateTimes{section};
  if (is_work(status)) {
    if (open) return;
    noted.started_ms = now_ms;
  } else {
    if (status == "pending" || (known != nullptr && !open)) return;
    noted.ended_ms = now_ms;
  }
  std::erase_if(times, [&](const UpdateTimes& each) { return each.section == section; });
  times.insert(times.begin(), noted);
  if (times.size() > max_update_times) times.pop_back();
}

void note_update(std::vector<UpdateTimes>& times, const SectionRecord& told, const JsonObject& reported,
                 std::int64_t now_ms) {
  const JsonObject* said = object_in(reported, "software");
  const std::string_view state = said == nullptr ? std::string_view() : text_in(*said, "state");
  if (!told.target || told.target == protocol::empty_section_hash()) return;
  if (told.phase == Phase::staging && state.empty()) return;  // it is about to say more
  std::string_view status = update_status(told, state, told.target);
  // What it waits with has been fetched, be it so quickly that it did not say so.
  if (status == "pending" && told.phase == Phase::staging && state == "waiting") status = "installing";
  const Digest section =
      section_worked_on(told, said == nullptr ? std::string_view() : text_in(*said, "wanted"));
  const bool begun = times_of(times, section) != nullptr;
  if (!begun && !is_work(status)) return;  // it was so before anybody kept times
  note_update(times, section, status, now_ms);
  const JsonObject* failure = said == nullptr ? nullptr : object_in(*said, "failure");
  if (status != "failed" || failure == nullptr) return;
  // It may have been without a link then.
  const std::int64_t failed_ms = integer_in(*failure, "at_ms");
  const auto noted = std::ranges::find(times, section, &UpdateTimes::section);
  if (failed_ms >= noted->started_ms) noted->ended_ms = std::min(noted->ended_ms, failed_ms);
}

JsonArray to_json(const std::vector<UpdateTimes>& times) {
  JsonArray stored;
  for (const auto& [section, started_ms, ended_ms] : times) {
    stored.push_back(
        JsonObject{{"section", section.hex()}, {"started_ms", started_ms}, {"ended_ms", ended_ms}});
  }
  return stored;
}

std::vector<UpdateTimes> update_times_from_json(const Json* stored) {
  std::vector<UpdateTimes> times;
  if (stored == nullptr || !stored->is_array()) return times;
  for (const Json& each : stored->get_array()) {
    if (!each.is_object()) continue;
    const JsonObject& object = each.get_object();
    const auto section = Digest::from_hex(text_in(object, "section"));
    if (!section || !*section) continue;
    times.push_back({*section, integer_in(object, "started_ms"), integer_in(object, "ended_ms")});
  }
  return times;
}

}  // namespace starling::hub
