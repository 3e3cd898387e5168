#include "agent/supervisor/module_actions.hpp"

#include <algorithm>

namespace starling::agent {

void ModuleCommandRunner::run(const protocol::Action& action, Done done) {
  const JsonReader reader(action.parameters);
  const auto module = reader.string("module", 256);
  if (!module) return done(fail(module));
  const auto word = reader.string("command", 64);
  if (!word) return done(fail(word));
  Answered answered = [done](const Result<ModuleState>& settled) {
    if (!settled) return done(fail(settled));
    done(JsonObject{{"state", to_string(*settled)}});
  };
  if (*word == "reconcile") {
    if (!supervisor_.has(*module)) return done(JsonObject{{"state", nullptr}});
    return supervisor_.reconcile(*module, std::move(answered));
  }
  for (const ModuleCommand command : {ModuleCommand::start, ModuleCommand::stop, ModuleCommand::restart})
    if (*word == to_string(command)) return supervisor_.command(*module, command, std::move(answered));
  done(fail(ErrorCode::invalid_argument,
            "'" + *word + "' is no command; there are start, stop, restart and reconcile"));
}

Result<std::vector<std::string>> CollectLogsRunner::wanted(const protocol::Action& action) const {
  std::vector<std::string> modules;
  const auto named = JsonReader(action.parameters).optional_array("modules");
  if (!named) return fail(named);
  if (*named == nullptr) {
    for (const ModuleStatus& status : supervisor_.statuses())
      modules.push_back(status.name);
    return modules;
  }
  for (const Json& name : **named) {
    if (!name.is_string()) return fail(ErrorCode::invalid_argument, "modules must be a list of names");
    modules.emplace_back(name.get_string());
    if (supervisor_.has(modules.back())) continue;
    return fail(ErrorCode::not_found, "no module is called '" + modules.back() + "'");
  }
  return modules;
}

void CollectLogsRunner::run(const protocol::Action& action, Done done) {
  const auto modules = wanted(action);
  if (!modules) return done(fail(modules));
  const auto bytes = JsonReader(action.parameters).optional_integer("max_bytes");
  if (!bytes) return done(fail(bytes));
  const auto all =
      static_cast<std::size_t>(std::clamp<std::int64_t>(bytes->value_or(most_bytes), 1, most_bytes));
  JsonObject logs;
  for (const std::string& module : *modules)
    logs[module] = supervisor_.log_of(module).tail(all / modules->size());
  JsonObject result;
  result["logs"] = std::move(logs);
  done(std::move(result));
}

}  // namespace starling::agent
