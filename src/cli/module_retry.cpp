#include "cli/module_retry.hpp"

#include <fmt/format.h>

#include <vector>

#include "cli/action_sender.hpp"
#include "cli/answer.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

// The actions' answers, each of one device.
Result<JsonArray> wait_for_all(Session& session, const std::vector<std::string>& actions, Seconds timeout) {
  const SteadyTime end = session.clock.steady() + timeout;
  JsonArray answered;
  for (const std::string& id : actions) {
    const auto left = std::chrono::ceil<Seconds>(end - session.clock.steady());
    const auto action = wait_for_action(session, id, std::max(left, Seconds(0)));
    if (!action) return fail(action);
    for (const Json& device : array_at(*action, {"devices"}))
      answered.push_back(device);
  }
  return answered;
}

}  // namespace

Result<ExitCode> retry_module(Session& session, std::string_view module, const JsonObject& where,
                              const WaitOptions& wait, JsonObject& answer) {
  const JsonArray& quarantined = array_at(where, {"quarantined"});
  if (quarantined.empty()) return ExitCode::done;
  std::vector<std::string> names;
  std::vector<std::string> actions;
  for (const Json& device : quarantined) {
    const auto started =
        start_action(session, {"module", JsonObject{{"module", module}, {"command", "start"}},
                               JsonObject{{"device", text_at(as_object(device), {"device"})}}});
    if (!started) return fail(started);
    actions.push_back(text_at(*started, {"id"}));
    names.push_back(text_at(as_object(device), {"name"}));
  }
  answer["retried"] = quarantined;
  if (!session.json()) {
    session.console.line(fmt::format("trying again where it could not be enabled: {}",
                                     first_names(names, number_at(where, {"quarantined_count"}))));
  }
  if (!wait.wanted()) return ExitCode::done;
  auto answered = wait_for_all(session, actions, wait.timeout());
  if (!answered) return fail(answered);
  const JsonObject all{{"devices", std::move(*answered)}};
  if (!session.json()) show_action(session, all);
  answer["retried"] = all.at("devices");
  return outcome_of_action(all);
}

}  // namespace starling::cli
