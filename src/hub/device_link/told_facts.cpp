#include "hub/device_link/told_facts.hpp"

#include "hub/device_link/device_fields.hpp"

namespace starling::hub {

namespace {

template <typename T>
std::optional<T> taken(Result<std::optional<T>> value, const char* name,
                       std::vector<protocol::KeyError>& errors) {
  if (value) return std::move(*value);
  errors.push_back({name, value.error().message});
  return std::nullopt;
}

}  // namespace

ToldFacts ToldFacts::read(const JsonObject& facts) {
  const JsonReader reader(facts);
  ToldFacts told;
  told.name = taken(optional_name(reader, "device_name"), "device_name", told.errors);
  told.timezone = taken(optional_timezone(reader), "timezone", told.errors);
  told.device_type = taken(optional_device_type(reader), "device_type", told.errors);
  told.metadata = taken(optional_metadata(reader), "metadata", told.errors);
  return told;
}

ChangeLog::Plan told_facts_plan(std::string device_id, ToldFacts told) {
  return [id = std::move(device_id), told = std::move(told)](const FleetState& head,
                                                             std::int64_t) -> Result<Draft> {
    const Device* device = head.device(id);
    if (device == nullptr) return fail(ErrorCode::not_found, "no device is registered as '" + id + "'");
    Draft draft{{"device:" + id, device->name}, "device.patch", "told by the device", {}, {}, std::nullopt};
    Device changed = *device;
    changed.name = told.name.value_or(changed.name);
    changed.timezone = told.timezone.value_or(changed.timezone);
    changed.device_type = told.device_type.value_or(changed.device_type);
    Json body = changed.to_json();
    if (body != device->to_json()) draft.edits.push_back(head.edit(EntityKind::device, id, std::move(body)));
    return draft;
  };
}

}  // namespace starling::hub
