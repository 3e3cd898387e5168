// Purpose: sends an action to devices and, if wanted, waits for what each of them answers.
// Owner: the command that has it. Thread: one. Lifetime: the command's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"

namespace starling::cli {

struct WantedAction {
  std::string name;
  Json parameters;  // null: none
  Json target;      // as the API has it; null: the whole fleet
  std::int64_t expires_seconds = 60;
};

// The hub's answer: {"id", "targeted"}. A note names the devices that are offline.
Result<JsonObject> start_action(Session& session, const WantedAction& wanted);
enum class Absent { waited_for, passed_by };
// Polls until every device has answered, the action has expired or the time is over: the last answer.
// With a device in `query` that one alone, however much it answers.
Result<JsonObject> wait_for_action(Session& session, const std::string& id, Seconds timeout,
                                   const Parameters& query = {}, Absent absent = Absent::waited_for);
// refused: some device failed; unfinished: some have not answered.
ExitCode outcome_of_action(const JsonObject& action);
// How it went on each device.
void show_action(Session& session, const JsonObject& action);

// --expires, --wait and --wait-timeout.
class ActionSender {
 public:
  void add_to(CLI::App& app);
  // `what` goes to the devices, for people: "stop of recorder"; empty: the action's own name.
  Result<ExitCode> send(Session& session, std::string action, Json parameters, Json target,
                        std::string_view what = {}) const;

 private:
  WaitOptions wait_;
  std::int64_t expires_seconds_ = 60;
};

}  // namespace starling::cli
