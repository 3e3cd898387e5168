#include "hub/first_start.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "hub/api/authentication.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t min_given_key_bytes = 16;
constexpr std::string_view bootstrap_key_id = "bootstrap";

// Values that their new schema does not accept stay in the log and count as not written.
void warn_of_lost_values(const FleetState& head, const protocol::Component& component, const Logger& log) {
  for (const auto& [id, layer] : head.layers()) {
    for (const auto& [key, entry] : layer.values) {
      if (protocol::component_of(key) != component.name()) continue;
      if (component.find(key) != nullptr && component.validate(key, entry.value)) continue;
      log.warning("a stored value does not fit its component's new schema; it counts as not written",
                  {{"fleet", head.fleet()}, {"layer", id.text()}, {"key", key}});
    }
  }
}

}  // namespace

ChangeLog::Plan components_plan(protocol::Catalog catalog, Logger log) {
  return [catalog = std::move(catalog), log](const FleetState& head, std::int64_t) -> Result<Draft> {
    Draft draft{{"hub", "hub"}, "component.put", {}, {}, {}, std::nullopt};
    for (const auto& [name, component] : catalog.components()) {
      const auto* current = head.catalog().component(name);
      if (current != nullptr && current->schema_hash() == component->schema_hash()) continue;
      warn_of_lost_values(head, *component, log);
      draft.edits.push_back(head.edit(EntityKind::component, name, component->file()));
    }
    return draft;
  };
}

ChangeLog::Plan admin_key_plan(std::string text, std::int64_t now_ms) {
  return [text = std::move(text), now_ms](const FleetState& head, std::int64_t) -> Result<Draft> {
    Draft draft{{"hub", "hub"}, "key.create", "first start", {}, {}, std::nullopt};
    if (!head.keys().empty()) return draft;
    Key key;
    key.id = bootstrap_key_id;
    key.name = "first admin key";
    key.secret_hash = sha256(text);
    key.grants.push_back({head.fleet(), Role::admin, {}});
    key.created_at_ms = now_ms;
    draft.edits.push_back(head.edit(EntityKind::key, key.id, key.to_json()));
    return draft;
  };
}

Result<std::string> first_admin_key(const std::filesystem::path& data, const std::string& given) {
  if (!given.empty()) {
    if (given.size() < min_given_key_bytes || given.starts_with("dt_")) {
      return fail(
          ErrorCode::invalid_argument,
          fmt::format(
              "STARLING_BOOTSTRAP_ADMIN_KEY must have {} or more characters (this one has {}) and not "
              "begin with dt_",
              min_given_key_bytes, given.size()));
    }
    return given;
  }
  std::string text = make_key_text(bootstrap_key_id, false);
  if (auto written = write_file_durably(data / "admin.key", text + "\n", 0600); !written)
    return fail(written);
  return text;
}

}  // namespace starling::hub
