#include "hub/releases/release_log.hpp"

namespace starling::hub {

ChangeLog::Plan releases_plan(SharedView view, Actor actor, std::string action, std::string reason) {
  return [view = std::move(view), actor = std::move(actor), action = std::move(action),
          reason = std::move(reason)](const FleetState& head, std::int64_t) -> Result<Draft> {
    Draft draft{actor, action, reason, {}, {}, std::nullopt};
    std::map<std::string, JsonObject> releases;
    for (const auto& [path, tar] : view->published) {
      const auto name = parse_tar_path(path);
      if (!name) continue;
      JsonObject& body = releases[name->version];
      for (const char* field : {"type", "description", "packages"}) {
        if (const Json* value = tar.custom.if_contains(field)) body[field] = *value;
      }
      Json& architectures = body["architectures"];
      if (!architectures.is_object()) architectures = JsonObject();
      architectures.get_object()[name->architecture] = tar.sha256;
    }
    for (auto& [version, body] : releases) {
      const auto schedule = view->schedules.find(version);
      if (schedule != view->schedules.end()) body["schedule"] = schedule->second;
      if (head.body(EntityKind::release, version) == Json(body)) continue;
      draft.edits.push_back(head.edit(EntityKind::release, version, body));
    }
    return draft;
  };
}

}  // namespace starling::hub
