#include "cli/module_follow_up.hpp"

#include <fmt/format.h>

#include <span>
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

// Devices among which the module is as it is for the same reason.
struct Lot {
  const char* list;
  std::string_view what_is_done;
};
constexpr Lot to_start[] = {{"quarantined", "trying again where it could not be enabled"},
                            {"stopped", "starting it where it had been stopped"}};
constexpr Lot to_stop[] = {{"started", "stopping it where it had been started"}};

}  // namespace

Result<ExitCode> follow_up(Session& session, std::string_view module, bool enabled, const JsonObject& where,
                           const WaitOptions& wait, JsonObject& answer) {
  JsonArray commanded;
  std::vector<std::string> actions;
  for (const auto& [list, what_is_done] : enabled ? std::span<const Lot>(to_start) : to_stop) {
    std::vector<std::string> names;
    for (const Json& device : array_at(where, {list})) {
      const auto sent = start_action(
          session, {"module", JsonObject{{"module", module}, {"command", enabled ? "start" : "stop"}},
                    JsonObject{{"device", text_at(as_object(device), {"device"})}}});
      if (!sent) return fail(sent);
      actions.push_back(text_at(*sent, {"id"}));
      names.push_back(text_at(as_object(device), {"name"}));
      commanded.push_back(device);
    }
    if (names.empty() || session.json()) continue;
    const std::int64_t count = number_at(where, {std::string(list) + "_count"});
    session.console.line(fmt::format("{}: {}", what_is_done, first_names(names, count)));
  }
  if (commanded.empty()) return ExitCode::done;
  answer["commanded"] = std::move(commanded);
  if (!wait.wanted()) return ExitCode::done;
  auto answered = wait_for_all(session, actions, wait.timeout());
  if (!answered) return fail(answered);
  const JsonObject all{{"devices", std::move(*answered)}};
  if (!session.json()) show_action(session, all);
  answer["commanded"] = all.at("devices");
  return outcome_of_action(all);
}

}  // namespace starling::cli
