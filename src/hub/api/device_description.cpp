#include "hub/api/device_description.hpp"

#include <algorithm>

#include "hub/api/listing.hpp"
#include "hub/api/release_use.hpp"
#include "hub/device_link/device_problems.hpp"
#include "hub/device_link/running_release.hpp"
#include "hub/settings/explain.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

JsonObject shown_section(const DesiredSection& target, const SectionRecord& told,
                         const std::vector<protocol::KeyError>& errors) {
  return JsonObject{{"status", ""},
                    {"desired_hash", target.hash.hex()},
                    {"desired_revision", target.revision},
                    {"running_hash", told.running.hex()},
                    {"running_revision", told.running_revision},
                    {"errors", told.refused || told.phase == protocol::Phase::staging ? shown_errors(errors)
                                                                                      : JsonArray()}};
}

JsonArray shown_problems(const DeviceFacts& facts) {
  JsonArray shown;
  for (const std::string& problem : problems_of(facts))
    shown.push_back(JsonString(problem));
  return shown;
}

// Of a device that takes none the hub may still want one: its client asks for updates.
JsonObject shown_release(const FleetState& state, const Device& device, const DesiredDocument& target,
                         const DeviceRecord* record) {
  Json desired;
  if (record != nullptr && record->takes_releases()) {
    const Json* said = target.software->value(protocol::software_release_key);
    if (said != nullptr) desired = *said;
  } else {
    desired = desired_release(state, device);
  }
  return JsonObject{{"desired", std::move(desired)}, {"running", text_or_null(running_release(record))}};
}

// What cannot be read is not shown as if the device had said nothing.
DeviceFacts shown_facts(const DeviceRecord& record) {
  auto facts = DeviceFacts::parse(record.facts);
  if (facts) return *std::move(facts);
  DeviceFacts unreadable;
  unreadable.reported["unreadable"] = facts.error().message;
  return unreadable;
}

}  // namespace

Json shown_time(std::int64_t unix_ms) {
  return unix_ms == 0 ? Json() : Json(to_rfc3339(WallTime(Milliseconds(unix_ms))));
}

JsonArray shown_errors(const std::vector<protocol::KeyError>& errors) {
  JsonArray shown;
  for (const auto& error : errors) {
    shown.push_back(JsonObject{{"key", error.key}, {"message", error.message}});
  }
  return shown;
}

std::string_view DeviceDescription::status(const Device& device) const {
  if (!hub_.sessions().present(device)) return "offline";
  const DeviceRecord* record = hub_.records().find(device.id);
  if (record == nullptr) return "online";
  return record->rest_status == "updating" || is_updating(*record) ? "updating" : "online";
}

Declared DeviceDescription::declared(const FleetState& state, const Device& device) const {
  return declared_by(state, hub_.records().find(device.id));
}

DesiredDocument DeviceDescription::desired(const FleetState& state, const Device& device) {
  return hub_.documents().desired(state, device, declared(state, device));
}

// The settings are told as they were when they were all; modules beside them, of devices that have some.
JsonObject DeviceDescription::sync(const Device& device, const DesiredDocument& target,
                                   const DeviceRecord* record, const DeviceFacts& facts) const {
  const SyncStatuses statuses = hub_.sessions().sync_statuses(device);
  const SectionRecord unknown;
  JsonObject sync =
      shown_section(*target.settings, record == nullptr ? unknown : record->settings, facts.errors);
  auto kept_back = reasons_of(facts.quarantine, target.settings->quarantined);
  std::erase_if(kept_back, [&](const protocol::KeyError& kept) {
    return std::ranges::find(facts.errors, kept.key, &protocol::KeyError::key) != facts.errors.end();
  });
  for (Json& refused : shown_errors(kept_back))
    sync["errors"].as_array().push_back(std::move(refused));
  sync["status"] = to_string(statuses.whole());
  if (record != nullptr && record->takes_releases()) {
    JsonObject software = shown_section(*target.software, record->software, facts.software_errors);
    software["status"] = to_string(statuses.software);
    sync["settings_status"] = to_string(statuses.settings);
    sync["software"] = std::move(software);
  }
  if (record == nullptr || record->module_names.empty()) return sync;
  sync["settings_status"] = to_string(statuses.settings);
  sync["modules"] = modules_sync(device, target, record, facts);
  return sync;
}

JsonObject DeviceDescription::modules_sync(const Device& device, const DesiredDocument& target,
                                           const DeviceRecord* record, const DeviceFacts& facts) const {
  const DeviceRecord unknown;
  const SectionRecord& told = record == nullptr ? unknown.modules : record->modules;
  JsonObject sync = shown_section(*target.modules, told, facts.module_errors);
  sync["status"] = to_string(hub_.sessions().sync_statuses(device).modules);
  return sync;
}

JsonObject DeviceDescription::describe(const FleetState& state, const Device& device) {
  const DeviceRecord* record = hub_.records().find(device.id);
  const DesiredDocument document = desired(state, device);
  const SharedSection& target = document.settings;
  JsonObject labels;
  for (const auto& [key, value] : device.labels)
    labels[key] = value;
  JsonArray groups;
  for (const Group* group : state.groups_of(device.labels))
    groups.emplace_back(group->name);
  const Persona* wanted = state.stack(device).persona;
  Json running_persona;
  if (record != nullptr) {
    const SharedSection running =
        record->settings.running == target->hash ? target : hub_.documents().recent(record->settings.running);
    if (running) running_persona = text_or_null(running->persona);
  }
  DeviceFacts facts;
  if (record != nullptr) facts = shown_facts(*record);
  return JsonObject{{"id", device.id},
                    {"device_uuid", device.id},
                    {"device_name", device.name},
                    {"registered_at", shown_time(device.registered_at_ms)},
                    {"last_seen", shown_time(record == nullptr ? 0 : record->last_seen_ms)},
                    {"current_version", record == nullptr ? Json() : text_or_null(record->version)},
                    {"timezone", device.timezone},
                    {"status", status(device)},
                    {"metadata", std::move(facts.metadata)},
                    {"labels", std::move(labels)},
                    {"device_type", text_or_null(device.device_type)},
                    {"groups", std::move(groups)},
                    {"clone_of", text_or_null(device.clone_of)},
                    {"serial", text_or_null(device.serial)},
                    {"sync", sync(device, document, record, facts)},
                    {"persona", JsonObject{{"desired", wanted == nullptr ? Json() : Json(wanted->name)},
                                           {"running", running_persona}}},
                    {"release", shown_release(state, device, document, record)},
                    {"pending_edits", facts.pending_edits},
                    {"problems", shown_problems(facts)},
                    {"reported", std::move(facts.reported)}};
}

JsonObject DeviceDescription::describe_briefly(const FleetState& state, const Device& device) {
  const DeviceRecord* record = hub_.records().find(device.id);
  DeviceFacts facts;
  const bool refuses =
      record != nullptr && (record->settings.refused || record->modules.refused || record->software.refused);
  if (refuses || hub_.records().has_problems(device.id)) facts = shown_facts(*record);
  const DesiredDocument document = desired(state, device);
  return JsonObject{{"device", device.id},
                    {"name", device.name},
                    {"status", status(device)},
                    {"sync", sync(device, document, record, facts)},
                    {"problems", shown_problems(facts)},
                    {"release", shown_release(state, device, document, record)}};
}

// Settings that are provisional are in force. A module that is has not been ready yet, or not ended, and a
// release may still be taken back: whoever wanted it waits for that, or for why it is not.
DeviceDescription::Standing DeviceDescription::standing(protocol::Section section, SyncStatus online,
                                                        const Device& device) const {
  const DeviceRecord* record = hub_.records().find(device.id);
  const bool takes_releases = record != nullptr && record->takes_releases();
  if (section == protocol::Section::software && !takes_releases) return Standing::cannot_answer;
  switch (online) {
    case SyncStatus::provisional:
      return section == protocol::Section::settings ? Standing::applied : Standing::pending;
    case SyncStatus::in_sync:
    case SyncStatus::drifted: return Standing::applied;
    case SyncStatus::refused:
    case SyncStatus::reverted: return Standing::refused;
    case SyncStatus::pending:
    case SyncStatus::staging: return unanswered(device);
    case SyncStatus::offline: break;
  }
  return Standing::offline;
}

// What it has refused is not offered again when it is back.
DeviceDescription::Standing DeviceDescription::standing_offline(protocol::Section section,
                                                                const FleetState& state,
                                                                const Device& device) {
  const DeviceRecord* record = hub_.records().find(device.id);
  if (record == nullptr) return Standing::offline;
  const SectionRecord& told = record->section(section);
  const bool waiting = section != protocol::Section::settings && told.phase == protocol::Phase::provisional;
  if (waiting || (section == protocol::Section::software && !record->takes_releases()))
    return Standing::offline;
  const SharedSection target = desired(state, device).section(section);
  if (told.running == target->hash)
    return target->quarantined.empty() ? Standing::applied : Standing::refused;
  return told.refused == target->hash ? Standing::refused : Standing::offline;
}

// A device that could have a link and only speaks REST now is told when its link is back.
DeviceDescription::Standing DeviceDescription::unanswered(const Device& device) const {
  if (hub_.sessions().has_handshaken(device.id)) return Standing::pending;
  const DeviceRecord* record = hub_.records().find(device.id);
  const bool had_link = record != nullptr && record->epoch != protocol::SessionEpoch{};
  const bool has_link = had_link || !device.public_key.empty();
  return has_link && !hub_.sessions().online(device.id) ? Standing::offline : Standing::cannot_answer;
}

std::string_view to_string(DeviceDescription::Standing standing) {
  switch (standing) {
    case DeviceDescription::Standing::applied: return "applied";
    case DeviceDescription::Standing::pending: return "pending";
    case DeviceDescription::Standing::refused: return "refused";
    case DeviceDescription::Standing::offline: return "offline";
    case DeviceDescription::Standing::cannot_answer: return "cannot_answer";
  }
  return "pending";
}

DeviceDescription::Standing slower(DeviceDescription::Standing one, DeviceDescription::Standing other) {
  using Standing = DeviceDescription::Standing;
  for (const Standing first :
       {Standing::pending, Standing::refused, Standing::offline, Standing::cannot_answer}) {
    if (one == first || other == first) return first;
  }
  return Standing::applied;
}

}  // namespace starling::hub
