#include "agent/supervisor/supervisor.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "agent/supervisor/folders/rendered_files.hpp"
#include "agent/supervisor/keeper/spawn_plan.hpp"
#include "agent/supervisor/module_report.hpp"

namespace starling::agent {
namespace {

Environment module_environment(const SupervisorOptions& options) {
  Environment environment{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  for (const char* name : {"PATH", "TZ", "LANG", "HOME"})
    if (const char* value = std::getenv(name)) environment[name] = value;
  environment["STARLING_MODULE_SOCKET"] = options.module_socket.string();
  return environment;
}

}  // namespace

Supervisor::Supervisor(const asio::any_io_executor& executor, const Clock& clock, Log& log, Disk& disk,
                       Wakeup& wakeup, SupervisorOptions options)
    : clock_(clock),
      wakeup_(wakeup),
      options_(std::move(options)),
      log_(log, "supervisor"),
      started_at_(clock.steady()),
      wall_times_(clock),
      keeper_(executor, options_.keeper_socket, Logger(log, "keeper")),
      trees_(table_, delegated_cgroup(options_.state, log_), options_.state.string(), log_),
      outputs_(executor, clock, options_.state / "logs", log_),
      readers_(
          clock, wakeup,
          [this](std::string_view module) { return has(module) ? &outputs_.log_of(module) : nullptr; },
          [this](const protocol::LogLines& lines) { device_->link().send_log(lines); },
          [this] { return device_->link().unsent_bytes(); }),
      notify_(executor, clock, trees_, *this, log_),
      examiner_(
          trees_.cgroups() ? &*trees_.cgroups() : nullptr,
          [this](std::string_view module) {
            outputs_.drain(module);
            return outputs_.log_of(module).last_lines();
          },
          [this](std::string_view module) {
            const auto folder = folders_.find(module);
            return folder == folders_.end() ? std::string() : folder->second.release;
          },
          options_.root),
      recovery_(disk, options_.boot_id, log_),
      config_files_(options_.modules, options_.release_modules),
      mirror_(config_files_, disk, log_),
      history_(disk, clock, log_),
      watch_(
          executor, [this](std::string_view module) { folder_changed(module); }, log_),
      arriving_(options_.modules, clock, [this](const std::string& module) { return is_complete(module); }),
      sampler_(table_, trees_, clock),
      environment_(module_environment(options_)),
      board_at_(clock.steady()) {}

Supervisor::~Supervisor() = default;

// ---- begin and end

Result<void> Supervisor::start(std::function<void()> ended) {
  ended_ = std::move(ended);
  watch_.start();
  keeper_.watch(options_.watchdog);
  return keeper_.start(static_cast<KeeperListener&>(*this));
}

asio::awaitable<void> Supervisor::stop() {
  co_await watch_.stop();
  co_await keeper_.stop();
  core_->write_files();
  history_.write();
  co_await notify_.stop();
  co_await outputs_.stop();
}

void Supervisor::tick() {
  const SteadyTime now = clock_.steady();
  core_->tick();
  if (wall_times_.notice_set()) device_->link().report_changed();
  if (mirror_.take_problems_changed()) device_->link().report_changed();
  if (now >= sampler_.next_deadline()) sampler_.tick();
  if (now >= board_at_) look_at_board();
  readers_.tick();
  for (const std::string& module : arriving_.take_arrived())
    look_into(module);
  if (now >= alive_at_) {
    alive_at_ = now + options_.watchdog / 4;
    keeper_.alive();
  }
  if (history_.next_deadline() && now >= *history_.next_deadline()) {
    history_.write();
    device_->link().report_changed();
  }
  if (!told_well_ && now >= started_at_ + well_after) {
    told_well_ = true;
    keeper_.healthy();
  }
}

std::optional<SteadyTime> Supervisor::next_deadline() const {
  SteadyTime next = std::min(sampler_.next_deadline(), board_at_);
  if (options_.watchdog > Milliseconds(0)) next = std::min(next, alive_at_);
  if (!told_well_) next = std::min<SteadyTime>(next, started_at_ + well_after);
  for (const auto& other : {core_->next_deadline(), readers_.next_deadline(), history_.next_deadline(),
                            arriving_.next_deadline()})
    if (other) next = std::min(next, *other);
  return next;
}

void Supervisor::look_at_board() {
  board_at_ = clock_.steady() + board_round;
  examiner_.look();
  end_alerts();
  const BoardHealth health = read_board_health(options_.state, options_.root);
  for (const BoardAlertChange& change : board_watch_.update(health)) {
    (log_.*(change.raised ? &Logger::warning : &Logger::info))(change.text, {});
    device_->link().report_changed();
  }
  core_->set_memory_short(board_watch_.memory_is_short());
  board_ = to_json(health);
  JsonArray raised;
  for (const BoardAlert one : {BoardAlert::hot, BoardAlert::throttled, BoardAlert::under_voltage,
                               BoardAlert::memory_low, BoardAlert::disk_low}) {
    if (board_watch_.raised(one)) raised.push_back(JsonString(to_string(one)));
  }
  board_["alerts"] = std::move(raised);
}

// ---- the keeper's word

void Supervisor::take(KeptChild& child) {
  const auto run = parse_child_id(child.id);
  if (!run) return;
  if (child.pid != 0) {
    trees_.led_by(run->module, child.leader_pid, child.leader_start_time, child.in_cgroup);
    trees_.main_is(run->module, child.pid, child.start_time);
    trees_.writes_to(run->module, child.streams.out);
    trees_.writes_to(run->module, child.streams.err);
  }
  if (child.streams.out || child.streams.err) {
    outputs_.attach(run->module, run->run, std::move(child.streams.out), std::move(child.streams.err));
  }
  if (child.streams.notify) {
    notify_.attach(child.id, run->module, uid_of(run->module), std::move(child.streams.notify));
  }
}

std::uint32_t Supervisor::uid_of(std::string_view module) const {
  const auto folder = folders_.find(module);
  const bool other = folder != folders_.end() && folder->second.manifest && folder->second.manifest->account;
  return other ? folder->second.manifest->account->uid : ::geteuid();
}

void Supervisor::attached(const KeeperGreeting& keeper, std::vector<KeptChild> children) {
  log_.debug("the keeper's list", {{"keeper", keeper.pid}, {"children", children.size()}});
  for (KeptChild& child : children) {
    take(child);
    if (child.exit) child.last_words = notify_.drain(child.id);
  }
  core_->attached(children);
  for (const KeptChild& child : children)
    if (child.exit && !core_->is_present(child.id)) notify_.detach(child.id);
  if (!std::exchange(begun_, true)) begin_trial();
  wakeup_.deadlines_changed();
}

void Supervisor::spawned(KeptChild child) {
  take(child);
  core_->spawned(child);
  wakeup_.deadlines_changed();
}

void Supervisor::spawn_failed(const SpawnFailure& failure) {
  core_->spawn_failed(failure);
  wakeup_.deadlines_changed();
}

void Supervisor::exited(std::string_view id, const ChildExit& exit) {
  for (const NotifyMessage& message : notify_.drain(id))  // it may have said READY before it ended
    core_->notified(id, message);
  core_->exited(id, exit);
  if (!core_->is_present(id)) notify_.detach(id);
  wakeup_.deadlines_changed();
}

void Supervisor::signal_failed(std::string_view id, int error) {
  log_.debug("a signal did not reach its process", {{"child", id}, {"error", std::strerror(error)}});
}

void Supervisor::main_taken(std::string_view id, std::int32_t pid, std::uint64_t start_time) {
  if (const auto run = parse_child_id(id); run && core_->is_present(id)) {
    trees_.main_is(run->module, pid, start_time);
  }
  core_->main_taken(id, pid, start_time);
  wakeup_.deadlines_changed();
}

void Supervisor::main_refused(std::string_view id, std::int32_t pid, int error) {
  core_->main_refused(id, pid, error);
  if (!core_->is_present(id)) notify_.detach(id);
  wakeup_.deadlines_changed();
}

void Supervisor::lost() {
  log_.warning("the keeper is away; modules run on");
  core_->lost();
  wakeup_.deadlines_changed();
}

void Supervisor::stop_asked() {
  log_.info("the device's modules end");
  shut_down([this] { ended_(); });
}

void Supervisor::shut_down(std::function<void()> done) {
  core_->shut_down(std::move(done));
  wakeup_.deadlines_changed();
}

// ---- the modules' words

void Supervisor::notified(std::string_view child_id, const NotifyMessage& message) {
  core_->notified(child_id, message);
  wakeup_.deadlines_changed();
}

void Supervisor::notified_wrongly(std::string_view child_id, std::string_view why) {
  core_->notified_wrongly(child_id, why);
}

void Supervisor::said_hello(std::string_view module) {
  core_->said_hello(module);
}

std::string Supervisor::why_not_connected(std::string_view module) const {
  const auto status = core_->status(module);
  return status ? agent::why_not_connected(*status) : std::string();
}

void Supervisor::said_state(std::string_view module, std::string_view state, std::string_view status) {
  core_->said_recording(module, state == to_string(ModuleState::recording), status);
}

void Supervisor::said_wrongly(std::string_view module, std::int32_t pid, std::string_view why) {
  core_->said_wrongly(has(module) ? std::string(module) : trees_.module_of(pid), why);
  wakeup_.deadlines_changed();
}

Result<void> Supervisor::check_peer(std::string_view module, std::int32_t pid) const {
  if (!folders_.contains(module) || trees_.member(module, pid)) return {};
  return fail(ErrorCode::permission_denied,
              "process " + std::to_string(pid) + " is not of the module '" + std::string(module) + "'");
}

// ---- what SupervisorCore says

void Supervisor::modules_changed() {
  end_alerts();
  device_->link().report_changed();
  device_->section().modules_changed();
  for (const std::string& module : history_.in_quarantine()) {
    const auto now = core_->status(module);
    if (now && now->quarantine.empty()) history_.quarantined(module, "");
  }
  trial_.follow(*core_);
  judge_settings();
  tell_observers();
}

void Supervisor::tell_observers() {
  const auto observers = observers_;  // one may go meanwhile
  for (const auto& [id, observer] : observers)
    if (observers_.contains(id)) observer();
}

void Supervisor::module_removed(std::string_view module) {
  device_->link().report_changed();
  if (folders_.contains(module)) return;
  device_->link().modules_came_or_went();
  tell_observers();
  outputs_.forget(module);
}

// What could not be enabled for want of it is tried again; what requires that one, when that one comes up.
void Supervisor::module_came_up(std::string_view module) {
  for (const std::string& dependent : dependents_of(module))
    if (history_.of(dependent).waited) device_->section().try_again(dependent);
}

void Supervisor::module_died(std::string_view module, const DeathReport& report, bool unexpected) {
  sampler_.ended(module);
  const auto folder = folders_.find(module);
  if (folder == folders_.end() || !unexpected) return;
  history_.died(module, report);
  trial_.died(module);
  judge_settings();
  device_->link().report_changed();
}

// Unless it is enabled once more by now: what it waited for came up at the same time.
void Supervisor::enable_reverted(std::string_view module, std::string_view why, bool waited) {
  if (core_->is_enabled(module)) return;
  device_->section().reverted(module, why);
  const bool by_hub = device_->settings().module_quarantine().contains(module);
  if (has(module)) history_.quarantined(module, why, waited, by_hub);
}

void Supervisor::alert(const SupervisorAlert& alert) {
  alerts_.add(alert, clock_.wall());
  device_->link().report_changed();
}

void Supervisor::end_alerts() {
  const std::size_t ended = alerts_.end([this](SupervisorAlert::Kind kind, const std::string& module) {
    const auto status = core_->status(module);
    return !status || is_over(kind, *status, clock_.steady());
  });
  if (ended > 0) device_->link().report_changed();
}

// ---- what is wanted

void Supervisor::command(std::string_view module, ModuleCommand command, Answered answered) {
  const bool toggles = command == ModuleCommand::enable || command == ModuleCommand::disable;
  const auto folder = folders_.find(module);
  const bool too_many = folder != folders_.end() && folder->second.too_many;
  const auto unusable = valid_module_name(module) && !too_many ? std::nullopt : core_->status(module);
  if (unusable) {
    if (answered) answered(fail(ErrorCode::failed_precondition, unusable->manifest_problem));
  } else if (toggles) {
    device_->section().toggle(module, command == ModuleCommand::enable, std::move(answered));
  } else if (command == ModuleCommand::start && device_->settings().module_quarantine().contains(module)) {
    device_->section().toggle(module, true, std::move(answered));  // as the hub wants it
  } else {
    core_->command(module, command, std::move(answered));
  }
  wakeup_.deadlines_changed();
}

void Supervisor::reconcile(std::string_view module, Answered answered) {
  const auto status = core_->status(module);
  if (status && status->finished) return answered(status->state);
  const bool up = device_->settings().module_quarantine().contains(module) || core_->is_enabled(module);
  command(module, up ? ModuleCommand::start : ModuleCommand::stop, std::move(answered));
}

void Supervisor::act(std::string_view module, std::string action, JsonObject parameters,
                     ModuleCore::Acted done) {
  device_->modules().act(module, std::move(action), std::move(parameters), std::move(done));
  wakeup_.deadlines_changed();
}

std::vector<std::string> Supervisor::names() const {
  std::vector<std::string> names;
  for (const auto& [name, folder] : folders_)
    if (valid_module_name(name) && !folder.too_many) names.push_back(name);
  std::set<std::string_view> without_folder(missing_.begin(), missing_.end());
  for (const std::string& name : core_->leaving())
    if (!has(name)) without_folder.insert(name);
  for (const std::string_view name : without_folder)
    if (names.size() < max_modules) names.emplace_back(name);  // the hub takes no more
  std::ranges::sort(names);
  return names;
}

bool Supervisor::is_missing(std::string_view module) const {
  return missing_.contains(module) || (!has(module) && core_->leaving().contains(module));
}

void Supervisor::forget_missing(const std::string& module) {
  if (missing_.erase(module) == 0) return;
  device_->link().report_changed();
  device_->link().modules_came_or_went();
}

bool Supervisor::is_enabled(std::string_view module) const {
  return core_->is_enabled(module);
}

bool Supervisor::is_provisional(std::string_view module) const {
  return core_->is_provisional(module);
}

void Supervisor::command(std::vector<Commanded> commands) {
  core_->command(std::move(commands));
  wakeup_.deadlines_changed();
}

Result<TreePlace> Supervisor::make(const ModuleManifest& manifest, std::string_view child_id) {
  if (auto rendered = render_files(manifest, device_->settings().values_for_modules()); !rendered)
    return fail(rendered);
  if (const auto folder = folders_.find(manifest.name); folder != folders_.end())
    note_problem(folder->second.render_problem, "");
  return trees_.make(manifest, child_id);
}

void Supervisor::settings_changed(const SettingsChange& change) {
  for (auto& [name, folder] : folders_)
    if (folder.manifest && uses_one_of(*folder.manifest, change.changed)) tell_settings(name, folder);
  wakeup_.deadlines_changed();
}

void Supervisor::tell_settings(const std::string& module, Folder& folder) {
  trial_.settings_changed(module);
  const auto rendered = render_files(*folder.manifest, device_->settings().values_for_modules());
  note_problem(folder.render_problem, rendered ? "" : rendered.error().message);
  if (rendered) return core_->settings_changed(module);
  // It runs on with the file that it has.
  log_.error("a file of a module cannot be made", {{"module", module}, {"why", folder.render_problem}});
}

// ---- whether the device works with new settings

void Supervisor::begin_trial() {
  trial_.begin(*core_, recovery_, [this](const std::string& module) {
    const auto folder = folders_.find(module);
    return folder != folders_.end() && folder->second.known_before;
  });
  // The last agent may have ended before it told them.
  for (const ModuleStatus& module : core_->statuses()) {
    const auto folder = folders_.find(module.name);
    const bool known = folder != folders_.end() && folder->second.known_before && folder->second.manifest;
    const bool witness = device_->settings().witnesses().contains(module.name);
    if (known && witness && module.cause == Cause::adopted) tell_settings(module.name, folder->second);
  }
  device_->settings().witnesses_told();
}

void Supervisor::judge_settings() {
  if (const SettingsVerdict now = verdict(); !now.failure.empty()) device_->settings().unhealthy(now.failure);
}

ModuleNames Supervisor::witnesses(std::span<const std::string> changed) const {
  ModuleNames names;
  for (const auto& [name, folder] : folders_)
    if (folder.manifest && uses_one_of(*folder.manifest, changed) && trial_.works(name)) names.insert(name);
  return names;
}

SettingsVerdict Supervisor::verdict() const {
  if (!begun_) return {.over = false, .failure = ""};
  return trial_.verdict(*core_, device_->settings().witnesses());
}

// Before it has begun nobody knows which of them shall run. One whose readiness is its hello is sure to say
// it, or is ended; any other may be one that does not speak the protocol.
std::map<std::string, Milliseconds> Supervisor::having_a_say() const {
  constexpr Milliseconds at_most{30'000}, if_it_speaks{10'000};
  std::map<std::string, Milliseconds> times;
  for (const auto& [name, folder] : folders_) {
    if (!folder.manifest || folder.manifest->uses.empty()) continue;
    if (folder.manifest->on_change != OnChange::notify) continue;
    const bool speaks = folder.manifest->readiness == Readiness::module;
    times.emplace(name, speaks ? std::min(at_most, folder.manifest->start_timeout) : if_it_speaks);
  }
  if (!begun_ || times.empty()) return times;
  for (const ModuleStatus& module : core_->statuses())
    if (!module.wanted) times.erase(module.name);
  return times;
}

// ---- what is told

void Supervisor::follow_log(const protocol::LogFollow& wish) {
  readers_.follow(wish);
  wakeup_.deadlines_changed();
}

std::uint32_t Supervisor::observe(Observer observer) {
  observers_.emplace(next_observer_, std::move(observer));
  return next_observer_++;
}

void Supervisor::note_problem(std::string& noted, std::string problem) {
  if (noted == problem) return;
  noted = std::move(problem);
  device_->link().report_changed();
}

JsonObject Supervisor::describe(const ModuleStatus& status) const {
  JsonObject json = to_json(status, wall_times_);
  if (core_->is_ending(status.name)) json["ending"] = true;
  if (core_->is_held_up(status.name)) json["held_up"] = true;
  const auto folder = folders_.find(status.name);
  if (folder != folders_.end()) {
    put_deaths(json, history_.deaths(status.name));
    if (!folder->second.config_problem.empty()) json["config_problem"] = folder->second.config_problem;
    if (!folder->second.render_problem.empty()) json["render_problem"] = folder->second.render_problem;
    if (!folder->second.note.empty()) json["manifest_note"] = folder->second.note;
  }
  if (const std::string_view problem = mirror_.problem(status.name); !problem.empty()) {
    json["config_problem"] = problem;
  }
  if (const std::string_view why = device_->section().edit_refused(status.name); !why.empty()) {
    json["edit_refused"] = why;
  }
  if (const auto use = sampler_.use().find(status.name); use != sampler_.use().end()) {
    json["use"] = to_json(use->second);
  }
  return json;
}

JsonObject Supervisor::descriptions() const {
  JsonObject all;
  for (const ModuleStatus& status : core_->statuses())
    all[status.name] = describe(status);
  for (const std::string& name : missing_) {
    if (all.contains(name)) continue;  // something of it still lives
    all[name] = JsonObject{{"enabled", true},
                           {"state", to_string(ModuleState::disabled)},
                           {"missing", true},
                           {"manifest_problem", "its folder is gone: put it back, or disable it"}};
  }
  for (const auto& [name, said] : device_->modules().report()) {
    if (all.contains(name)) continue;
    JsonObject unmanaged = said.get_object();
    unmanaged["unmanaged"] = true;
    all[name] = std::move(unmanaged);
  }
  return all;
}

void Supervisor::add_to(JsonObject& report) const {
  JsonObject modules = descriptions();
  // The hub takes no message past a bound: what many modules have to say is told as far as it fits.
  std::size_t left = reported_bytes;
  for (auto& [name, json] : modules) {
    JsonObject& module = json.get_object();
    const auto size = [&module] { return boost::json::serialize(module).size(); };
    if (size() > left) leave_out_evidence(module);
    if (size() > left) leave_out_texts(module);
    left -= std::min(left, size());
  }
  report["modules"] = std::move(modules);
  report["board"] = board_;
  if (JsonArray alerts = alerts_.told(); !alerts.empty()) report["alerts"] = std::move(alerts);
}

}  // namespace starling::agent
