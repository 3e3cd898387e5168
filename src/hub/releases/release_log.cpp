#include "hub/releases/release_log.hpp"

namespace starling::hub {

ChangeLog::Plan releases_plan(SharedView view, Actor actor) {
  return [view = std::move(view), actor = std::move(actor)](const FleetState& head,
                                                            std::int64_t) -> Result<Draft> {
    Draft draft{actor, "release.publish", {}, {}, {}, std::nullopt};
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
    for (const auto& [version, body] : releases) {
      if (head.body(EntityKind::release, version) == Json(body)) continue;
      draft.edits.push_back(head.edit(EntityKind::release, version, body));
    }
    return draft;
  };
}

}  // namespace starling::hub
