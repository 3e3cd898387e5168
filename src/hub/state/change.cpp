#include "hub/state/change.hpp"

#include "base/clock.hpp"

namespace starling::hub {

namespace {

Json shown_body(EntityKind kind, const Json& body) {
  if (kind != EntityKind::key || !body.is_object()) return body;
  JsonObject shown = body.get_object();
  shown.erase("secret_hash");
  return shown;
}

}  // namespace

Json Change::to_json() const {
  JsonArray edit_list;
  edit_list.reserve(edits.size());
  for (const Edit& edit : edits) {
    edit_list.push_back(JsonObject{{"kind", to_string(edit.kind)},
                                   {"id", edit.id},
                                   {"before", shown_body(edit.kind, edit.before)},
                                   {"after", shown_body(edit.kind, edit.after)}});
  }
  return JsonObject{{"fleet", fleet},
                    {"revision", revision},
                    {"at", to_rfc3339(WallTime(Milliseconds(at_ms)))},
                    {"principal", principal},
                    {"principal_name", principal_name},
                    {"action", action},
                    {"reason", reason},
                    {"edits", std::move(edit_list)}};
}

}  // namespace starling::hub
