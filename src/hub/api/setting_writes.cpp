#include "hub/api/setting_writes.hpp"

#include <fmt/format.h>

#include "base/json_text.hpp"

namespace starling::hub {

namespace {

http::Response conflict_response(const std::vector<WriteConflict>& conflicts) {
  http::Response response = http::problem_response(
      {ErrorCode::conflict,
       fmt::format("{} was changed by somebody else in the meantime; read it again, then decide",
                   conflicts.front().key),
       "/expected/" + conflicts.front().key});
  auto problem = parse_json(response.body);
  if (!problem || !problem->is_object()) return response;
  JsonArray shown;
  for (const WriteConflict& conflict : conflicts) {
    shown.push_back(
        JsonObject{{"key", conflict.key}, {"expected", conflict.expected}, {"actual", conflict.actual}});
  }
  problem->get_object()["conflicts"] = std::move(shown);
  response.body = json_text(*problem);
  return response;
}

Result<PlannedWrite> plan(const FleetState& head, const SettingsWrite& write, const Reach& reach) {
  auto planned = plan_settings(head, write);
  if (!planned) return fail(planned);
  if (auto allowed = check_reach(reach, head, planned->scope); !allowed) return fail(allowed);
  PlannedWrite result;
  if (!planned->conflicts.empty()) {
    result.refusal = conflict_response(planned->conflicts);
    return result;
  }
  result.answer = write_answer(planned->edits, find_masked(head, planned->scope, planned->values, max_masked),
                               planned->scope.count(head));
  add_missing_assets(head, planned->edits, result.answer);
  const bool unchanged = planned->edits.empty() && planned->unchanged_since > 0;
  if (unchanged) result.answer["unchanged_since"] = planned->unchanged_since;
  result.edits = std::move(planned->edits);
  return result;
}

}  // namespace

Writer::Planner setting_write_planner(SettingsWrite write, Reach reach) {
  return [write = std::move(write), reach = std::move(reach)](const FleetState& head) {
    return plan(head, write, reach);
  };
}

}  // namespace starling::hub
