#include "cli/module_follow_up.hpp"

#include <fmt/format.h>

#include <vector>

#include "cli/action_sender.hpp"
#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

// Actions go to those who match now: to no persona's layer and no group's, and past no policy.
bool is_for_actions(const Json& target) {
  const JsonObject& named = as_object(target);
  return !named.contains("persona") && !named.contains("group");
}

Json without_policy(Json target) {
  if (target.is_object()) target.get_object().erase("policy");
  return target.is_object() && target.get_object().empty() ? Json() : target;
}

void note_retried(Session& session, const JsonObject& where) {
  std::vector<std::string> names;
  for (const Json& device : array_at(where, {"quarantined"}))
    names.push_back(text_at(as_object(device), {"name"}));
  if (names.empty() || session.json()) return;
  session.console.line(fmt::format("trying again where it could not be enabled: {}",
                                   first_names(names, number_at(where, {"quarantined_count"}))));
}

// The devices on which it has not come to what was wanted, with why; others were as they should be, or are.
JsonArray without_done(const JsonObject& action) {
  JsonArray left;
  for (const Json& device : array_at(action, {"devices"}))
    if (text_at(as_object(device), {"state"}) == "failed") left.push_back(device);
  return left;
}

}  // namespace

Result<ExitCode> follow_up(Session& session, std::string_view module, const Json& target,
                           const JsonObject& where, const WaitOptions& wait, JsonObject& answer) {
  const bool changed = find(answer, {"revision"}) != nullptr;
  const bool has_failed = number_at(where, {"quarantined_count"}) > 0;
  if ((changed && !has_failed) || !is_for_actions(target)) return ExitCode::done;
  note_retried(session, where);
  const auto sent =
      session.api.write(http::Method::post, "/api/v1/actions",
                        JsonObject{{"action", "module"},
                                   {"parameters", JsonObject{{"module", module}, {"command", "reconcile"}}},
                                   {"target", without_policy(target)},
                                   {"expires_in_seconds", 60}});
  if (!sent) {
    session.console.note(fmt::format("where a command or a failed enable stands against it, that stays: {}",
                                     printable(sent.error().message)));
    return ExitCode::done;  // what was to be written is
  }
  if (!wait.wanted()) return ExitCode::done;
  const auto action = wait_for_action(session, text_at(*sent, {"id"}), wait.timeout(), {}, Absent::passed_by);
  if (!action) return fail(action);
  JsonArray failed = without_done(*action);
  if (!session.json() && !failed.empty()) show_action(session, JsonObject{{"devices", failed}});
  answer["reconciled"] = array_at(*action, {"devices"});
  return failed.empty() ? ExitCode::done : ExitCode::refused;
}

}  // namespace starling::cli
