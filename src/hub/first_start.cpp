#include "hub/first_start.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "hub/api/authentication.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_component_bytes = 1u << 20;
constexpr std::size_t min_given_key_bytes = 16;
constexpr std::string_view bootstrap_key_id = "bootstrap";

Result<std::shared_ptr<const protocol::Component>> read_component(const std::filesystem::path& file) {
  const auto text = read_file(file, max_component_bytes);
  if (!text) return fail(text);
  const auto json = parse_json(*text);
  if (!json) return fail(json, file.string());
  auto component = protocol::Component::from_json(*json);
  if (!component) {
    return fail(component, component.error().field.empty()
                               ? file.string()
                               : fmt::format("{} at {}", file.string(), component.error().field));
  }
  return component;
}

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

Result<Components> read_components(const std::vector<std::filesystem::path>& folders) {
  struct Read {
    std::shared_ptr<const protocol::Component> component;
    std::filesystem::path file;
  };
  std::map<std::string, Read> by_name;
  for (const auto& folder : folders) {
    std::error_code error;
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const auto& file : files) {
      auto component = read_component(file);
      if (!component) return fail(component);
      std::string name = (*component)->name();
      by_name.insert_or_assign(std::move(name), Read{std::move(*component), file});
    }
  }
  Components components;
  protocol::Catalog catalog;
  for (auto& [name, read] : by_name) {
    if (auto put = catalog.put(read.component); !put) {
      return fail(ErrorCode::invalid_argument, read.file.string() + ": " + put.error().message);
    }
    components.push_back(std::move(read.component));
  }
  return components;
}

std::filesystem::path shipped_components() {
  std::error_code error;
  const auto binary = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"../share/starling/components", "../../../components"}) {
    const auto folder = (binary / place).lexically_normal();
    if (std::filesystem::is_directory(folder, error)) return folder;
  }
  return {};
}

ChangeLog::Plan components_plan(Components components, Logger log) {
  return [components = std::move(components), log](const FleetState& head, std::int64_t) -> Result<Draft> {
    Draft draft{{"hub", "hub"}, "component.put", {}, {}, {}, std::nullopt};
    for (const auto& component : components) {
      const auto* current = head.catalog().component(component->name());
      if (current != nullptr && current->schema_hash() == component->schema_hash()) continue;
      warn_of_lost_values(head, *component, log);
      draft.edits.push_back(head.edit(EntityKind::component, component->name(), component->file()));
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
          fmt::format("STARLING_BOOTSTRAP_ADMIN_KEY must have {} or more characters and not begin with dt_",
                      min_given_key_bytes));
    }
    return given;
  }
  std::string text = make_key_text(bootstrap_key_id, false);
  if (auto written = write_file_durably(data / "admin.key", text + "\n", 0600); !written)
    return fail(written);
  return text;
}

}  // namespace starling::hub
