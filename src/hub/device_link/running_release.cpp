#include "hub/device_link/running_release.hpp"

#include <string_view>

#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

// Of the agent's report {"software": {"release": "v1.2.3", "state": "confirmed", ...}}.
std::string said_of_software(const DeviceRecord& record, std::string_view name) {
  // Spares most records of a fleet without releases the reading.
  if (record.facts.find("\"software\":{") == std::string::npos) return {};
  const auto facts = DeviceFacts::parse(record.facts);
  const Json* software = facts ? facts->reported.if_contains("software") : nullptr;
  const JsonObject* said = software == nullptr ? nullptr : software->if_object();
  const Json* value = said == nullptr ? nullptr : said->if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

std::string running_release(const DeviceRecord* record) {
  if (record == nullptr) return {};
  const bool has_link = record->epoch != protocol::SessionEpoch{};
  if (has_link) return said_of_software(*record, "release");
  return record->version.starts_with('v') ? record->version : std::string();
}

std::string release_state(const DeviceRecord& record) {
  return said_of_software(record, "state");
}

bool is_updating(const DeviceRecord& record) {
  const SectionRecord& told = record.software;
  if (told.phase != protocol::Phase::staging && told.phase != protocol::Phase::provisional) return false;
  return is_work(update_status(told, release_state(record), told.target));
}

std::string release_in_work(const DeviceRecord& record) {
  return said_of_software(record, "wanted");
}

// Asked of each device of a fleet, and so without reading its facts: inside of a text the quotes are not
// bare.
bool ties_sections(const DeviceRecord& record) {
  static const std::string said = '"' + std::string(protocol::ties_sections) + "\":true";
  return record.facts.find(said) != std::string::npos;
}

}  // namespace starling::hub
