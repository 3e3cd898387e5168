#include "agent/supervisor/session_recovery.hpp"

#include <algorithm>

#include "agent/settings/sealed_json.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_file_bytes = 1u << 18;
constexpr std::int64_t longest_ms = std::int64_t{1} << 50;
constexpr Seconds deadline_step{30};  // in which an extended one is written, however often it is extended
constexpr std::array running_states{ModuleState::idle, ModuleState::recording};

JsonArray to_json(const SessionRecovery::Names& names) {
  JsonArray array;
  for (const std::string& name : names)
    array.push_back(JsonString(name));
  return array;
}

Result<SessionRecovery::Names> names_at(const JsonReader& reader, std::string_view key) {
  const auto array = reader.optional_array(key);
  if (!array) return fail(array);
  SessionRecovery::Names names;
  if (*array == nullptr) return names;
  for (const Json& name : **array) {
    if (!name.is_string()) return fail(ErrorCode::corrupted, std::string(key) + " holds more than names");
    names.emplace(name.get_string());
  }
  return names;
}

std::optional<SteadyTime> next_step(const std::optional<SteadyTime>& deadline) {
  if (!deadline) return std::nullopt;
  const auto step = deadline->time_since_epoch() / deadline_step;
  return SteadyTime((step + 1) * deadline_step);
}

}  // namespace

// ---- before anything starts

StartPlan SessionRecovery::plan(const Enabled& enabled, const Names& living) {
  read();
  if (!former_) return plan_from_enabled(enabled);
  bool whole = true;  // everything of it lives
  for (const std::string& name : former_->wanted) {
    const auto known = enabled.find(name);
    const bool gone = known == enabled.end() && former_->missing.contains(name);
    if (gone || (known != enabled.end() && !was_listed(name, known->second))) continue;
    to_recover_.insert(name);
    whole = whole && living.contains(name);
  }
  attempts_ = former_->attempts + (whole ? 0 : 1);
  if (attempts_ > max_attempts) {
    problem_ =
        "two recoveries of the modules in running_modules.json did not come to their end; what is "
        "enabled is started instead";
    log_.warning(problem_);
    attempts_ = 0;
    to_recover_.clear();
    if (auto removed = remove(Session{}); !removed) log_.error(removed.error().message);
    return plan_from_enabled(enabled);
  }
  Session counted = *former_;
  counted.attempts = attempts_;
  if (!whole) {
    if (auto written = write(counted); !written) log_.error(written.error().message);
  }
  StartPlan plan;
  const bool same_boot = former_->boot_id == boot_id_;
  for (const auto& [name, is_enabled] : enabled) {
    StartPlanEntry& entry = plan.modules[name];
    const bool unchanged = is_enabled == former_->enabled.contains(name);
    const bool listed = unchanged && former_->wanted.contains(name);
    const bool finished = unchanged && former_->finished.contains(name);
    const bool afresh = !unchanged || former_->clean || (finished && !same_boot);
    entry.wanted = listed || (afresh && is_enabled);
    entry.finished = finished && !entry.wanted;
    entry.cause = listed ? Cause::recovery : Cause::boot;
    const auto run = former_->runs.find(name);
    entry.provisional = listed && same_boot && run != former_->runs.end() && run->second.provisional;
  }
  return plan;
}

StartPlan SessionRecovery::plan_from_enabled(const Enabled& enabled) const {
  StartPlan plan;
  for (const auto& [name, is_enabled] : enabled)
    plan.modules[name].wanted = is_enabled;
  return plan;
}

bool SessionRecovery::was_listed(const std::string& module, bool enabled) const {
  return former_->wanted.contains(module) && enabled == former_->enabled.contains(module);
}

bool SessionRecovery::was_ready(std::string_view module) const {
  if (!former_) return problem_.empty();  // the file goes when all run
  const auto run = former_->runs.find(module);
  return run != former_->runs.end() && is_ready(run->second.state);
}

OutlivedRun SessionRecovery::outlived(std::string_view module, std::uint64_t run) const {
  if (!former_) return {problem_.empty(), problem_.empty(), false, {}, {}};
  const auto found = former_->runs.find(module);
  if (found == former_->runs.end() || found->second.run != run) return {};
  const Run& former = found->second;
  return {true, is_ready(former.state), former.state == ModuleState::recording, former.own_watchdog,
          former.extended_deadline};
}

// ---- while the agent runs

void SessionRecovery::uninstalled(std::string_view module) {
  if (const auto listed = to_recover_.find(module); listed != to_recover_.end()) to_recover_.erase(listed);
}

Result<void> SessionRecovery::sync(std::span<const ModuleStatus> modules) {
  const bool all_down = std::ranges::all_of(
      modules, [](const ModuleStatus& module) { return module.state == ModuleState::disabled; });
  if (going_down_ && !all_down) return {};  // until then the file says what ran
  if (attempts_ > 0 && !going_down_ && all_run(modules)) {
    attempts_ = 0;
    for (const ModuleStatus& module : modules)
      to_recover_.erase(module.name);
    list_may_go_ = true;
  }
  Session session = session_of(modules);
  // Of a process that outlives the agent, no list says that it was ready.
  const bool all_ready = std::ranges::all_of(
      modules, [](const ModuleStatus& module) { return is_ready(module.state) || !module.wanted; });
  const bool all_said = std::ranges::none_of(
      modules, [](const ModuleStatus& module) { return module.own_watchdog.has_value(); });
  if (list_may_go_ && all_ready && all_said && session.wanted == session.enabled)
    return remove(std::move(session));
  if (synced_ == session) return {};
  return write(std::move(session));
}

SessionRecovery::Session SessionRecovery::session_of(std::span<const ModuleStatus> modules) const {
  Session session;
  session.boot_id = boot_id_;
  session.clean = going_down_;
  session.attempts = attempts_;
  session.wanted = session.missing = to_recover_;
  if (going_down_ && synced_) session.runs = synced_->runs;  // they were ready before
  for (const ModuleStatus& module : modules) {
    session.missing.erase(module.name);
    const bool listed = module.wanted && !(going_down_ && module.forced);
    if (!listed) session.wanted.erase(module.name);
    if (listed) session.wanted.insert(module.name);
    if (module.enabled) session.enabled.insert(module.name);
    if (module.finished) session.finished.insert(module.name);
    if (is_ready(module.state)) {
      session.runs[module.name] = {module.run,          module.pid, module.start_time, module.state, false,
                                   module.own_watchdog, {}};
    } else if (module.own_watchdog || module.extended_deadline) {
      session.runs[module.name] = {module.run,
                                   module.pid,
                                   module.start_time,
                                   module.state,
                                   module.provisional,
                                   module.own_watchdog,
                                   next_step(module.extended_deadline)};
    } else if (module.provisional) {
      session.runs[module.name].provisional = true;
    }
  }
  return session;
}

bool SessionRecovery::all_run(std::span<const ModuleStatus> modules) const {
  return std::ranges::all_of(to_recover_, [&](const std::string& name) {
    const auto module = std::ranges::find(modules, name, &ModuleStatus::name);
    return module == modules.end() || is_ready(module->state) || !module->wanted;
  });
}

// ---- the file

JsonObject SessionRecovery::to_json(const Session& session) {
  JsonObject runs;
  for (const auto& [name, run] : session.runs) {
    JsonObject& json = runs[name].emplace_object();
    json["run"] = run.run;
    json["pid"] = run.pid;
    json["start_time"] = run.start_time;
    json["state"] = to_string(run.state);
    if (run.provisional) json["provisional"] = true;
    if (run.own_watchdog) json["watchdog_ms"] = run.own_watchdog->count();
    if (run.extended_deadline)
      json["ready_by_ms"] = run.extended_deadline->time_since_epoch() / Milliseconds(1);
  }
  JsonObject json;
  json["running_modules"] = agent::to_json(session.wanted);
  json["enabled"] = agent::to_json(session.enabled);
  json["finished"] = agent::to_json(session.finished);
  json["missing"] = agent::to_json(session.missing);
  json["boot_id"] = session.boot_id;
  json["clean"] = session.clean;
  json["recovery_attempts"] = session.attempts;
  json["runs"] = std::move(runs);
  return json;
}

Result<SessionRecovery::Session> SessionRecovery::parse(std::string_view text) {
  const auto json = unseal(text);
  if (!json) return fail(json);
  const JsonReader reader(*json);
  auto wanted = names_at(reader, "running_modules");
  auto enabled = names_at(reader, "enabled");
  auto finished = names_at(reader, "finished");
  auto missing = names_at(reader, "missing");
  auto boot_id = reader.string("boot_id");
  const auto clean = reader.boolean("clean");
  const auto attempts = reader.integer("recovery_attempts");
  const auto runs = reader.object("runs");
  if (!wanted) return fail(wanted);
  if (!enabled) return fail(enabled);
  if (!finished) return fail(finished);
  if (!missing) return fail(missing);
  if (!boot_id) return fail(boot_id);
  if (!clean) return fail(clean);
  if (!attempts) return fail(attempts);
  if (*attempts < 0 || *attempts > max_attempts) {
    return fail(ErrorCode::corrupted, "recovery_attempts is " + std::to_string(*attempts));
  }
  if (!runs) return fail(runs);
  Session session{std::move(*boot_id),         *clean,
                  static_cast<int>(*attempts), std::move(*wanted),
                  std::move(*enabled),         std::move(*finished),
                  std::move(*missing),         {}};
  for (const auto& [name, value] : **runs) {
    if (!value.is_object()) return fail(ErrorCode::corrupted, "a run is not an object");
    auto run = parse_run(JsonReader(value.get_object()));
    if (!run) return fail(run);
    session.runs[std::string(name)] = *run;
  }
  return session;
}

Result<SessionRecovery::Run> SessionRecovery::parse_run(const JsonReader& fields) {
  const auto number = fields.integer("run");
  const auto state = fields.string("state");
  const auto provisional = fields.optional_boolean("provisional");
  const auto watchdog = fields.optional_integer("watchdog_ms");
  const auto ready_by = fields.optional_integer("ready_by_ms");
  if (!number) return fail(number);
  if (!state) return fail(state);
  if (!provisional) return fail(provisional);
  if (!watchdog) return fail(watchdog);
  if (!ready_by) return fail(ready_by);
  Run run;
  run.run = static_cast<std::uint64_t>(*number);
  for (const ModuleState running : running_states)
    if (*state == to_string(running)) run.state = running;
  run.provisional = provisional->value_or(false);
  if (*watchdog) run.own_watchdog = Milliseconds(std::clamp<std::int64_t>(**watchdog, 0, longest_ms));
  if (*ready_by)
    run.extended_deadline = SteadyTime(Milliseconds(std::clamp<std::int64_t>(**ready_by, 0, longest_ms)));
  return run;
}

void SessionRecovery::read() {
  const auto text = disk_.read_file(path, max_file_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return;
  auto session = text ? parse(*text) : Result<Session>(fail(text));
  if (session) {
    former_ = std::move(*session);
    return;
  }
  problem_ = "running_modules.json cannot be used: " + session.error().message +
             "; what is enabled is started instead";
  log_.error(problem_);
  if (auto moved = disk_.rename(path, aside_path); !moved) log_.error(moved.error().message);
}

Result<void> SessionRecovery::write(Session session) {
  synced_.reset();
  if (auto written = replace_file(disk_, path, seal(to_json(session)), 0600); !written) return written;
  synced_ = std::move(session);
  return {};
}

Result<void> SessionRecovery::remove(Session session) {
  synced_.reset();
  if (auto removed = disk_.remove_tree(path); !removed) return removed;
  if (auto synced = disk_.sync_folder(folder_of(path)); !synced) return synced;
  list_may_go_ = false;
  synced_ = std::move(session);
  return {};
}

}  // namespace starling::agent
