#include "agent/modules/module_core.hpp"

#include <algorithm>

#include "protocol/canonical_json.hpp"
#include "protocol/excerpt.hpp"

namespace starling::agent {

namespace wire = protocol::module;

Result<ModuleId> ModuleCore::opened(std::int32_t pid) {
  if (modules_.size() >= max_modules) {
    return fail(ErrorCode::rate_limited, "too many modules are connected");
  }
  const ModuleId id{next_id_++};
  modules_[id].pid = pid;
  modules_[id].deadline = clock_.steady() + longest_greeting;
  return id;
}

// ---- lines from modules

void ModuleCore::line(ModuleId id, std::string_view text) {
  const auto found = modules_.find(id);
  if (found == modules_.end()) return;
  Module& module = found->second;
  const auto message = wire::decode_from_module(text);
  if (!message) return refuse(id, message.error().message, true);
  if (const auto* greeting = std::get_if<wire::Hello>(&*message)) {
    if (module.phase != Phase::greeting) return refuse(id, "hello comes once, first", true);
    return hello(id, module, *greeting);
  }
  if (module.phase == Phase::greeting) return refuse(id, "the first line must be hello", true);
  if (const auto* answer = std::get_if<wire::Prepared>(&*message)) return prepared(id, module, *answer);
  if (const auto* answer = std::get_if<wire::Committed>(&*message)) return committed(id, module, *answer);
  if (const auto* edit = std::get_if<wire::Set>(&*message)) return set(id, *edit);
  if (const auto* report = std::get_if<wire::Report>(&*message)) return reported(id, module, *report);
  if (const auto* answer = std::get_if<wire::ActionResult>(&*message)) return acted(id, *answer);
  if (const auto* state = std::get_if<wire::State>(&*message)) return said(id, module, *state);
  if (const auto* unknown = std::get_if<protocol::Unknown>(&*message)) {
    refuse(id, "unknown message type '" + unknown->type + "', ignored", false);
  }
}

void ModuleCore::too_long(ModuleId id) {
  refuse(id, "a line is longer than " + std::to_string(wire::max_line_bytes) + " bytes", true);
}

void ModuleCore::hello(ModuleId id, Module& module, const wire::Hello& hello) {
  if (auto named = protocol::check_module_name(hello.name); !named) {
    return refuse(id, named.error().message, true);
  }
  if (auto allowed = listener_.check_peer(hello.name, module.pid); !allowed) {
    return refuse(id, allowed.error().message, true);
  }
  for (const auto& [other_id, other] : modules_) {
    if (other_id != id && other.name == hello.name) {
      // One process per name: the older connection is what is left of a former start.
      refuse(other_id, "another process has said hello as '" + hello.name + "'", true);
      break;
    }
  }
  module.name = hello.name;
  module.names = hello.components;
  std::vector<std::string> unknown;
  for (const std::string& name : hello.keys) {
    if (auto key = listener_.setting_named(name)) {
      module.names.push_back(std::move(*key));
    } else {
      unknown.push_back(key.error().message);
    }
  }
  const Milliseconds wanted = Seconds(hello.prepare_seconds);
  module.prepare_time = std::clamp(wanted, Milliseconds(1'000), longest_prepare);
  module.phase = Phase::running;
  log_.info("module connected", {{"module", module.name}});
  for (std::string& why : unknown)
    refuse(id, std::move(why), false);
  if (names_one_of(module, changed_)) failures_.try_emplace(module.name, 0);
  send_settings(id, module, listener_.values_for_modules());
  listener_.modules_changed();
  listener_.module_arrived(module.name);
}

void ModuleCore::prepared(ModuleId id, Module& module, const wire::Prepared& answer) {
  if (!module.target) return refuse(id, "prepared: it has not been asked", false);
  if (module.phase != Phase::asked || answer.hash != module.target) return;  // an older question's
  log_.debug("module answered", {{"module", module.name}, {"agrees", answer.ok}});
  if (answer.ok) {
    module.phase = Phase::agreed;
  } else {
    module.phase = Phase::refused;
    if (answer.errors.empty()) refuse_asked(module, "refuses");
    for (const protocol::KeyError& error : answer.errors) {
      errors_.push_back({error.key, "module '" + module.name + "': " + error.message});
    }
  }
  check_prepared();
}

void ModuleCore::committed(ModuleId id, Module& module, const wire::Committed& answer) {
  if (!module.target) return refuse(id, "committed: it has not been asked", false);
  if (module.phase != Phase::committing || answer.hash != module.target) return;
  module.phase = Phase::running;
  check_committed();
}

void ModuleCore::said(ModuleId id, Module& module, const wire::State& said) {
  if (said.state != "idle" && said.state != "recording") {
    return refuse(
        id, "state: '" + protocol::excerpt(said.state, 64) + "' is no state; there are idle and recording",
        false);
  }
  const bool records = said.state == "recording";
  if (records != (module.state == "recording")) {
    activity_.heard(module.name,
                    {ActivityKind::recording, records ? Activity::Phase::begins : Activity::Phase::ends},
                    clock_.steady());
  }
  module.state = said.state;
  module.status = protocol::excerpt(said.status, max_status_bytes);
  listener_.module_said_state(module.name, module.state, module.status);
  listener_.modules_changed();
}

void ModuleCore::reported(ModuleId id, const Module& module, const wire::Report& report) {
  if (report.kind != "activity") return;
  const auto activity = parse_activity(report.body);
  if (!activity) return refuse(id, "activity: " + activity.error().message, false);
  activity_.heard(module.name, *activity, clock_.steady());
}

void ModuleCore::set(ModuleId id, const wire::Set& set) {
  listener_.module_set(set.values, [this, id](const Result<void>& result) {
    if (!result && modules_.contains(id)) refuse(id, "set: " + result.error().message, false);
  });
}

void ModuleCore::refuse(ModuleId id, std::string message, bool fatal) {
  Module& module = modules_.find(id)->second;
  log_.warning(fatal ? "module connection refused" : "module line refused",
               {{"module", module.name}, {"why", message}});
  if (std::exchange(module.refusal, message) != message) {
    listener_.module_refused(module.name, module.pid,
                             fatal ? message + "; its connection to the module socket was closed" : message);
  }
  send(id, wire::Refused{std::move(message), fatal});
  if (fatal) drop(id);
}

void ModuleCore::drop(ModuleId id) {
  output_.drop(id);
  closed(id);
}

void ModuleCore::closed(ModuleId id) {
  const auto found = modules_.find(id);
  if (found == modules_.end()) return;
  const Module gone = std::move(found->second);
  modules_.erase(found);
  if (gone.name.empty()) return;
  log_.info("module disconnected", {{"module", gone.name}});
  activity_.lost(gone.name, clock_.steady());
  listener_.modules_changed();
  fail_actions([id](const Asked& asked) { return asked.module == id; }, "it went away before it answered");
  // A module that ends while it is asked is not asked: it takes its settings when it starts.
  if (gone.phase == Phase::asked) check_prepared();
  if (gone.phase == Phase::committing) check_committed();
  const auto told = failures_.find(gone.name);
  if (told != failures_.end() && ++told->second == crash_loop) listener_.module_failing(gone.name);
}

// ---- actions

void ModuleCore::act(std::string_view module, std::string action, JsonObject parameters, Acted done) {
  const auto found = std::ranges::find_if(modules_, [&](const auto& entry) {
    return entry.second.phase != Phase::greeting && entry.second.name == module;
  });
  if (found == modules_.end()) {
    const std::string why = listener_.why_not_connected(module);
    return done(fail(why.empty() ? ErrorCode::not_found : ErrorCode::failed_precondition,
                     "module '" + std::string(module) + "' " +
                         (why.empty() ? "is not connected to the agent: it takes no actions" : why)));
  }
  if (asked_.size() >= max_actions) {
    return done(fail(ErrorCode::rate_limited, "too many actions wait for their answers"));
  }
  wire::Action question;
  question.id = std::to_string(next_action_++);
  question.name = std::move(action);
  question.parameters = std::move(parameters);
  asked_[question.id] = {found->first, clock_.steady() + longest_action, std::move(done)};
  log_.info("module asked to act", {{"module", module}, {"action", question.name}});
  send(found->first, question);
}

void ModuleCore::acted(ModuleId id, const wire::ActionResult& answer) {
  const auto asked = asked_.find(answer.id);
  if (asked == asked_.end() || asked->second.module != id) return;  // answered already, or too late
  const Acted done = std::move(asked->second.done);
  asked_.erase(asked);
  if (answer.ok) return done(answer.result);
  done(fail(ErrorCode::failed_precondition, answer.message.empty() ? "the module refuses" : answer.message));
}

void ModuleCore::fail_actions(const std::function<bool(const Asked&)>& which, const std::string& why) {
  std::vector<Acted> failed;
  std::erase_if(asked_, [&](auto& entry) {
    if (!which(entry.second)) return false;
    failed.push_back(std::move(entry.second.done));
    return true;
  });
  for (const Acted& done : failed)
    done(fail(ErrorCode::unavailable, why));
}

bool ModuleCore::is_connected(std::string_view name) const {
  return std::ranges::any_of(modules_, [&](const auto& entry) {
    return entry.second.phase != Phase::greeting && entry.second.name == name;
  });
}

// ---- asking

bool ModuleCore::names_one_of(const Module& module, std::span<const std::string> keys) {
  return std::ranges::any_of(keys, [&](const std::string& key) { return named_by(key, module.names); });
}

JsonObject ModuleCore::heard_by(const Module& module, const Values& values) {
  JsonObject heard;
  for (const auto& [key, value] : values) {
    if (named_by(key, module.names)) heard[key] = value;
  }
  return heard;
}

ModulePort::Answer ModuleCore::prepare(const Values& next, std::span<const std::string> changed,
                                       Prepared answered) {
  errors_.clear();
  bool asked = false;
  for (auto& [id, module] : modules_) {
    if (module.phase == Phase::greeting) continue;
    std::vector<std::string> named;
    for (const std::string& key : changed) {
      if (named_by(key, module.names)) named.push_back(key);
    }
    if (named.empty()) continue;
    wire::Prepare question;
    question.values = heard_by(module, next);
    question.hash = protocol::hash_of(question.values);
    module.asked = named;
    question.changed = std::move(named);
    module.target = question.hash;
    module.phase = Phase::asked;
    module.deadline = clock_.steady() + module.prepare_time;
    asked = true;
    log_.debug("module asked", {{"module", module.name}, {"settings", question.changed.size()}});
    send(id, question);
  }
  if (!asked) return Answer::ready;
  answered_ = std::move(answered);
  return Answer::waiting;
}

// It names none: so it is all that it was asked about.
void ModuleCore::refuse_asked(Module& module, const std::string& why) {
  for (std::string& key : std::exchange(module.asked, {}))
    errors_.push_back({std::move(key), "module '" + module.name + "' " + why});
}

void ModuleCore::check_prepared() {
  if (!answered_) return;
  const bool asking = std::any_of(modules_.begin(), modules_.end(),
                                  [](const auto& entry) { return entry.second.phase == Phase::asked; });
  if (asking) return;
  const Prepared answered = std::exchange(answered_, nullptr);
  answered(std::exchange(errors_, {}));
}

ModulePort::Answer ModuleCore::commit(const Values& next, std::span<const std::string> changed,
                                      Committed done) {
  failures_.clear();
  changed_.assign(changed.begin(), changed.end());
  bool waiting = false;
  for (auto& [id, module] : modules_) {
    if (module.phase == Phase::agreed) {
      module.phase = Phase::committing;
      module.tries = 1;
      module.deadline = clock_.steady() + commit_repeat;
      waiting = true;
      failures_[module.name] = 0;
      send(id, wire::Commit{module.target});
    } else if (module.phase != Phase::greeting) {
      module.phase = Phase::running;
      if (!names_one_of(module, changed)) continue;
      failures_[module.name] = 0;
      send_settings(id, module, next);
    }
  }
  if (!waiting) return Answer::ready;
  committed_ = std::move(done);
  return Answer::waiting;
}

void ModuleCore::check_committed() {
  if (!committed_) return;
  const bool waiting = std::any_of(modules_.begin(), modules_.end(),
                                   [](const auto& entry) { return entry.second.phase == Phase::committing; });
  if (waiting) return;
  const Committed done = std::exchange(committed_, nullptr);
  done();
}

void ModuleCore::rollback() {
  answered_ = nullptr;
  errors_.clear();
  for (auto& [id, module] : modules_) {
    if (module.phase != Phase::asked && module.phase != Phase::agreed && module.phase != Phase::refused)
      continue;
    const bool had_agreed = module.phase == Phase::agreed;
    module.phase = Phase::running;
    send(id, wire::Rollback{module.target});
    if (had_agreed) send_settings(id, module, listener_.values_for_modules());
  }
}

// ---- time

void ModuleCore::tick() {
  const SteadyTime now = clock_.steady();
  std::vector<ModuleId> silent;
  bool overdue = false;
  for (auto& [id, module] : modules_) {
    if (now < module.deadline) continue;
    if (module.phase == Phase::greeting) {
      silent.push_back(id);
    } else if (module.phase == Phase::asked) {
      module.phase = Phase::refused;
      const auto seconds = std::chrono::duration_cast<Seconds>(module.prepare_time).count();
      refuse_asked(module, "did not answer within " + std::to_string(seconds) + " s");
      overdue = true;
    } else if (module.phase == Phase::committing) {
      if (module.tries >= commit_tries) {
        silent.push_back(id);
        continue;
      }
      ++module.tries;
      module.deadline = now + commit_repeat;
      send(id, wire::Commit{module.target});
    }
  }
  for (const ModuleId id : silent) {
    const auto module = modules_.find(id);
    if (module == modules_.end()) continue;
    const bool greeting = module->second.phase == Phase::greeting;
    refuse(id, greeting ? "no hello came in time" : "the commit was not acknowledged", true);
  }
  if (overdue) check_prepared();
  fail_actions([now](const Asked& asked) { return now >= asked.deadline; }, "it did not answer within 30 s");
}

std::optional<SteadyTime> ModuleCore::next_deadline() const {
  std::optional<SteadyTime> next;
  for (const auto& entry : modules_) {
    const Module& module = entry.second;
    const bool waited_for =
        module.phase == Phase::greeting || module.phase == Phase::asked || module.phase == Phase::committing;
    if (!waited_for) continue;
    if (!next || module.deadline < *next) next = module.deadline;
  }
  for (const auto& [id, asked] : asked_)
    if (!next || asked.deadline < *next) next = asked.deadline;
  return next;
}

// ---- lines to modules

void ModuleCore::send(ModuleId id, const wire::FromAgent& message) {
  output_.send_line(id, wire::encode(message));
}

void ModuleCore::send_settings(ModuleId id, const Module& module, const Values& values) {
  wire::Settings settings;
  settings.values = heard_by(module, values);
  settings.hash = protocol::hash_of(settings.values);
  send(id, settings);
}

JsonObject ModuleCore::report() const {
  JsonObject report;
  for (const auto& entry : modules_) {
    const Module& module = entry.second;
    if (module.phase == Phase::greeting) continue;
    JsonObject one;
    one["state"] = module.state;
    one["status"] = module.status;
    report[module.name] = std::move(one);
  }
  return report;
}

}  // namespace starling::agent
