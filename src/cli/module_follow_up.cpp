#include "cli/module_follow_up.hpp"

#include <fmt/format.h>

#include <vector>

#include "cli/action_sender.hpp"
#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

constexpr std::int64_t expires_after_seconds = 60;

// Actions go to those who match now: to no persona's layer and no group's, and past no policy.
bool is_for_actions(const Json& target) {
  const JsonObject& named = as_object(target);
  return !named.contains("persona") && !named.contains("group");
}

Json without_policy(Json target) {
  if (target.is_object()) target.get_object().erase("policy");
  return target.is_object() && target.get_object().empty() ? Json() : target;
}

void say_what_is_retried(Session& session, const JsonObject& where) {
  std::vector<std::string> names;
  for (const Json& device : array_at(where, {"quarantined"}))
    names.push_back(text_at(as_object(device), {"name"}));
  session.console.line(fmt::format("trying again where it could not be enabled: {}",
                                   first_names(names, number_at(where, {"quarantined_count"}))));
}

JsonArray in_state(const JsonObject& action, std::string_view state) {
  JsonArray devices;
  for (const Json& device : array_at(action, {"devices"}))
    if (text_at(as_object(device), {"state"}) == state) devices.push_back(device);
  return devices;
}

// What a command has made of it there, if anything, the hub may not know.
void note_away(Session& session, const JsonArray& away) {
  std::vector<std::string> names;
  for (const Json& device : away)
    names.push_back(text_at(as_object(device), {"name"}));
  session.console.note(
      fmt::format("no answer from {}: what was started or stopped there by a command stays so, unless the "
                  "device is back within {} s",
                  first_names(names, static_cast<std::int64_t>(names.size())), expires_after_seconds));
}

}  // namespace

Result<ExitCode> follow_up(Session& session, std::string_view module, bool enabled, const Json& target,
                           const JsonObject& where, const WaitOptions& wait, JsonObject& answer) {
  const bool changed = find(answer, {"revision"}) != nullptr;
  const bool tries_again = enabled && number_at(where, {"quarantined_count"}) > 0;
  if ((changed && !tries_again) || !is_for_actions(target)) return ExitCode::done;
  if (tries_again && !session.json()) say_what_is_retried(session, where);
  const auto sent =
      session.api.write(http::Method::post, "/api/v1/actions",
                        JsonObject{{"action", "module"},
                                   {"parameters", JsonObject{{"module", module}, {"command", "reconcile"}}},
                                   {"target", without_policy(target)},
                                   {"expires_in_seconds", expires_after_seconds}});
  if (!sent) {
    session.console.note(fmt::format("where a command or a failed enable stands against it, that stays: {}",
                                     printable(sent.error().message)));
    return ExitCode::done;  // what was to be written is
  }
  if (!wait.wanted()) return ExitCode::done;
  const auto action = wait_for_action(session, text_at(*sent, {"id"}), wait.timeout(), {}, Absent::passed_by);
  if (!action) return fail(action);
  answer["reconciled"] = array_at(*action, {"devices"});
  const JsonArray failed = in_state(*action, "failed");
  const JsonArray away = in_state(*action, "waiting");
  if (!session.json() && !failed.empty()) show_action(session, JsonObject{{"devices", failed}});
  if (!away.empty()) note_away(session, away);
  if (!failed.empty()) return ExitCode::refused;
  return away.empty() ? ExitCode::done : ExitCode::unfinished;
}

}  // namespace starling::cli
