#include "agent/supervisor/supervisor_core.hpp"

#include <algorithm>
#include <utility>

#include "agent/supervisor/keeper/spawn_plan.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t named_in_text = 5;

// "modules 'a', 'b' and 'c'"; of many the first, and how many more.
std::string modules_text(const std::set<std::string>& modules) {
  std::string text = "modules ";
  std::size_t named = 0;
  for (const std::string& name : modules) {
    if (named == named_in_text) return text + " and " + std::to_string(modules.size() - named) + " more";
    if (named > 0) text += named + 1 == modules.size() ? " and " : ", ";
    text += "'" + name + "'";
    ++named;
  }
  return text;
}

}  // namespace

SupervisorCore::SupervisorCore(ProcessPorts ports, DeathExaminer& examiner, SessionRecovery& recovery,
                               ConfigMirror& mirror, SupervisorListener& listener, SeededRandom random,
                               Logger log)
    : ports_(ports),
      examiner_(examiner),
      recovery_(recovery),
      mirror_(mirror),
      listener_(listener),
      random_(random),
      log_(log),
      journal_(random_.uuid()) {}

SupervisorCore::~SupervisorCore() = default;

SupervisorCore::Turn::~Turn() {
  if (core_.turns_ == 1) {
    core_.settle();
    core_.sync_files();
    core_.tell_stop_time();
  }
  if (--core_.turns_ == 0) core_.deliver();
}

// ---- the modules there are

void SupervisorCore::add(const std::string& name, Result<ModuleManifest> manifest, bool enabled,
                         bool proved) {
  const Turn turn(*this);
  const bool came_back = leaving_.erase(name) > 0;
  SupervisedModule* known = find(name);
  if (known != nullptr) {
    known->replace_manifest(std::move(manifest));
  } else {
    modules_[name] = std::make_unique<SupervisedModule>(
        name, std::move(manifest), enabled, static_cast<ModuleHost&>(*this), SeededRandom(random_()));
  }
  if (enabled && !proved) unproved_.insert(name);
  if (!begun_) return;
  files_behind_ = true;
  put_in_order();
  if ((known == nullptr || came_back) && find(name)->enabled()) find(name)->begin(Cause::boot, !proved);
}

void SupervisorCore::replace_manifest(std::string_view name, Result<ModuleManifest> manifest) {
  const Turn turn(*this);
  SupervisedModule* module = find(name);
  if (module == nullptr) return;
  module->replace_manifest(std::move(manifest));
  changed_ = files_behind_ = true;  // without its module.toml a folder's config.txt is left alone
  put_in_order();
}

void SupervisorCore::remove(std::string_view name) {
  const Turn turn(*this);
  SupervisedModule* module = find(name);
  if (module == nullptr) return;
  module->retire();
  recovery_.uninstalled(name);
  leaving_.emplace(name);
  files_behind_ = true;
}

void SupervisorCore::put_in_order() {
  std::vector<const ModuleManifest*> newest, in_force;
  by_older_.clear();
  for (const auto& [name, module] : modules_) {
    if (module->manifest()) newest.push_back(&*module->manifest());
    if (module->manifest_in_force()) in_force.push_back(&*module->manifest_in_force());
    if (module->runs_by_older()) by_older_.push_back(name);
  }
  const ModuleOrder order = order_modules(newest);
  for (const auto& [name, module] : modules_) {
    const auto refused = order.refused.find(name);
    module->refuse(refused == order.refused.end() ? "" : refused->second);
  }
  sequence_ = order_modules(in_force).sequence;
  for (const auto& [name, module] : modules_)
    if (std::ranges::find(sequence_, name) == sequence_.end()) sequence_.push_back(name);
}

bool SupervisorCore::order_has_changed() const {
  return std::ranges::any_of(by_older_, [this](const std::string& name) {
    const SupervisedModule* module = find(name);
    return module != nullptr && !module->runs_by_older();
  });
}

// ---- what is wanted

void SupervisorCore::command(std::string_view name, ModuleCommand command, Answered answered) {
  std::vector<Commanded> one;
  one.push_back({std::string(name), command, std::move(answered)});
  this->command(std::move(one));
}

// What somebody asked for is durable before it is done: what is started may be the end of the agent. What is
// said of `enabled` is so already.
void SupervisorCore::command(std::vector<Commanded> commands) {
  const Turn turn(*this);
  const auto kept = std::make_shared<Result<void>>();
  for (Commanded& commanded : commands) {
    const bool by_session =
        commanded.command == ModuleCommand::start || commanded.command == ModuleCommand::stop;
    if (by_session && commanded.answered) {
      commanded.answered = [kept,
                            answered = std::move(commanded.answered)](const Result<ModuleState>& settled) {
        answered(settled && !*kept ? fail(*kept,
                                          "it is done, but the next start of the agent undoes it unless "
                                          "running_modules.json can be written before")
                                   : settled);
      };
    }
    ask(std::move(commanded));
  }
  files_behind_ = true;
  if (begun_) *kept = recovery_.sync(staying());
}

void SupervisorCore::ask(Commanded wish) {
  auto& [name, command, answered] = wish;
  SupervisedModule* module = find(name);
  if (module == nullptr || leaving_.contains(name)) {
    if (answered) {
      answer(std::move(answered), fail(ErrorCode::not_found, "no module is called '" + name +
                                                                 "': it needs a folder with a module.toml"));
    }
    return;
  }
  if (!begun_ && command == ModuleCommand::stop) {  // what comes back is not known before
    if (answered)
      answer(std::move(answered), fail(ErrorCode::unavailable, "the agent is starting; try again"));
    return;
  }
  log_.info("module command", {{"module", name}, {"command", to_string(command)}});
  changed_ |= !module->quarantine().empty();  // it ends with the command
  module->command(command, std::move(answered));
}

void SupervisorCore::settings_changed(std::string_view name) {
  const Turn turn(*this);
  if (SupervisedModule* module = find(name)) module->settings_changed();
}

void SupervisorCore::set_memory_short(bool memory_short) {
  const Turn turn(*this);
  memory_short_ = memory_short;
}

void SupervisorCore::shut_down(std::function<void()> done) {
  const Turn turn(*this);
  shut_down_ = std::move(done);
  recovery_.going_down();
  files_behind_ = true;
}

// ---- the modules' words

void SupervisorCore::notified(std::string_view id, const NotifyMessage& message) {
  const Turn turn(*this);
  std::uint64_t run = 0;
  SupervisedModule* module = find_run(id, run);
  if (module == nullptr) return;
  const bool was_reloading = module->is_reloading();
  const auto watchdog = module->own_watchdog();
  const auto deadline = module->extended_deadline();
  module->notified(run, message);
  const bool is_later = module->extended_deadline() != deadline;
  changed_ |= is_later || module->is_reloading() != was_reloading;
  // Not at once: it may say so as often as it likes.
  files_behind_ |= is_later || module->own_watchdog() != watchdog;
}

void SupervisorCore::said_hello(std::string_view name) {
  const Turn turn(*this);
  if (SupervisedModule* module = find(name)) module->said_hello();
}

void SupervisorCore::said_recording(std::string_view name, bool recording, std::string_view status) {
  const Turn turn(*this);
  if (SupervisedModule* module = find(name)) module->said_recording(recording, status);
}

void SupervisorCore::notified_wrongly(std::string_view id, std::string_view why) {
  const Turn turn(*this);
  std::uint64_t run = 0;
  SupervisedModule* module = find_run(id, run);
  if (module != nullptr && module->is_present(run)) module->misunderstood(why);
}

void SupervisorCore::said_wrongly(std::string_view name, std::string_view why) {
  const Turn turn(*this);
  if (SupervisedModule* module = find(name)) module->misunderstood(why);
}

void SupervisorCore::tree_changed(std::string_view name) {
  const Turn turn(*this);
  if (SupervisedModule* module = find(name)) module->tree_changed();
}

// ---- time

void SupervisorCore::tick() {
  const Turn turn(*this);
  for (const auto& [name, module] : modules_)
    module->tick();
  check_health();
}

void SupervisorCore::check_health() {
  const SteadyTime now = ports_.clock.steady();
  const auto has_process = [](const auto& entry) { return entry.second->has_process(); };
  if (!attached_ || std::ranges::none_of(modules_, has_process)) return health_check_at_.reset();
  if (health_check_at_ && now >= *health_check_at_) {
    // The keeper is asked only where something is wrong: an idle device sleeps.
    const bool all_live = std::ranges::all_of(modules_, [&](const auto& entry) {
      return !has_process(entry) || ports_.trees.main_lives(entry.first);
    });
    if (!all_live) ports_.keeper.list();
    health_check_at_.reset();
  }
  if (!health_check_at_) health_check_at_ = now + health_check;
}

std::optional<SteadyTime> SupervisorCore::next_deadline() const {
  std::optional<SteadyTime> next = health_check_at_;
  const auto consider = [&next](const std::optional<SteadyTime>& time) {
    if (time && (!next || *time < *next)) next = time;
  };
  for (const auto& [name, module] : modules_)
    consider(module->next_deadline());
  if (files_behind_) consider(files_after_);
  consider(files_retry_at_);
  return next;
}

// ---- at the end of a call

void SupervisorCore::settle() {
  bool again = begun_;
  while (again) {
    const std::uint64_t before = journal_.newest();
    wake_dependents();
    if (order_has_changed()) put_in_order();
    held_back_.clear();
    for (const std::string& name : sequence_) {
      SupervisedModule* module = find(name);
      if (module == nullptr) continue;
      const StartGate gate = shut_down_ ? gate_of_shutdown(*module) : gate_of(*module);
      if (gate.must_stop) held_back_.insert_or_assign(name, gate);
      const std::string waited_for = module->waits_for();
      module->reconcile(gate);
      changed_ |= module->waits_for() != waited_for;
    }
    again = journal_.newest() != before;
  }
  for (auto name = leaving_.begin(); name != leaving_.end();) {
    const SupervisedModule* module = find(*name);
    if (module != nullptr && !module->is_down()) {
      ++name;
      continue;
    }
    modules_.erase(*name);
    std::erase(sequence_, *name);
    outbox_.push_back([this, gone = *name] { listener_.module_removed(gone); });
    name = leaving_.erase(name);
  }
  // What an earlier agent left of a disabled module ends without a transition.
  const auto ending =
      std::ranges::count_if(modules_, [](const auto& entry) { return entry.second->is_ending(); });
  changed_ |= std::exchange(ending_, ending) != ending;
  if (!health_check_at_) check_health();
}

void SupervisorCore::wake_dependents() {
  for (const std::string& up : std::exchange(came_up_, {})) {
    for (const auto& [name, module] : modules_) {
      if (!module->manifest()) continue;
      if (std::ranges::find(module->manifest()->requirements, up) != module->manifest()->requirements.end()) {
        module->retry_now(Cause::requirement);
      }
    }
  }
}

std::vector<ModuleStatus> SupervisorCore::staying() const {
  std::vector<ModuleStatus> modules = statuses();
  std::erase_if(modules, [this](const ModuleStatus& module) { return leaving_.contains(module.name); });
  return modules;
}

// What a next agent must know, whatever else waits. Where it fails, sync_files() tries again and says so.
void SupervisorCore::sync_session() {
  if (begun_) (void)recovery_.sync(staying());
}

void SupervisorCore::sync_files() {
  // It does not say a second time that it is ready.
  if (std::exchange(session_behind_, false)) sync_session();
  const SteadyTime now = ports_.clock.steady();
  if (files_retry_at_ && now >= *files_retry_at_) files_behind_ = true;
  if (!begun_ || !files_behind_ || (now < files_after_ && !shut_down_)) return;
  const std::vector<ModuleStatus> modules = staying();
  const Result<void> recovered = recovery_.sync(modules);
  if (!recovered) log_.error("running_modules.json: " + recovered.error().message);
  const Result<void> mirrored = mirror_.sync(modules);
  files_behind_ = false;
  files_after_ = ports_.clock.steady() + file_pause;  // the writing may have taken longer
  // What cannot be written is tried again in a while; what changes meanwhile does not wait for that.
  files_retry_at_.reset();
  if (!recovered || !mirrored) files_retry_at_ = now + disk_retry;
}

// The keeper gives an agent that says nothing less time than modules may take.
void SupervisorCore::tell_stop_time() {
  if (!shut_down_) return;
  const SteadyTime now = ports_.clock.steady();
  SteadyTime down_by = now;
  for (const auto& [name, module] : modules_)
    down_by = std::max(down_by, module->down_by());
  if (down_by <= std::max(now, told_down_by_)) return;
  told_down_by_ = down_by;
  ports_.keeper.stopping(std::chrono::ceil<Milliseconds>(down_by - now) + after_stop);
}

void SupervisorCore::deliver() {
  if (shut_down_ && *shut_down_ &&
      std::ranges::all_of(modules_, [](const auto& entry) { return entry.second->is_down(); })) {
    outbox_.push_back(std::exchange(*shut_down_, nullptr));
  }
  if (std::exchange(changed_, false)) outbox_.push_back([this] { listener_.modules_changed(); });
  std::ranges::move(std::exchange(answers_, {}), std::back_inserter(outbox_));
  for (const std::function<void()>& message : std::exchange(outbox_, {}))
    message();
}

void SupervisorCore::files_changed() {
  const Turn turn(*this);
  files_behind_ = true;
}

void SupervisorCore::write_files() {
  files_after_ = {};
  sync_files();
}

// ---- ModuleHost

void SupervisorCore::transitioned(Transition transition) {
  transition.at = ports_.clock.wall();
  log_.debug("module " + std::string(to_string(transition.to)), {{"module", transition.module},
                                                                 {"cause", to_string(transition.cause)},
                                                                 {"detail", transition.detail},
                                                                 {"epoch", transition.epoch}});
  if (transition.to == ModuleState::idle && transition.from == ModuleState::starting) {
    came_up_.insert(transition.module);
    // Of many that start at once, one after the other; the file follows them.
    session_behind_ |= std::ranges::none_of(
        modules_, [](const auto& entry) { return entry.second->state() == ModuleState::starting; });
    const bool ran_on = transition.cause == Cause::adopted;
    if (!ran_on) outbox_.push_back([this, name = transition.module] { listener_.module_came_up(name); });
  }
  changed_ = files_behind_ = true;
  const bool was_unsettled = unsettled_.erase(transition.module) > 0;
  if (!transition.settled) {
    unsettled_.insert(transition.module);
  } else if (!transition.enabled) {
    files_after_ = {};  // if it is started once more, it has not settled any longer, and its config.txt waits
  } else {
    session_behind_ |= was_unsettled;
  }
  journal_.add(std::move(transition));
}

void SupervisorCore::died(std::string_view module, const DeathReport& report, EndedFor why) {
  const bool unexpected = why != EndedFor::stop;
  if (unexpected) {
    log_.warning("module ended unasked", {{"module", module}, {"why", report.text}});
  }
  outbox_.push_back([this, name = std::string(module), report, unexpected] {
    listener_.module_died(name, report, unexpected);
  });
  const SupervisedModule* found = find(module);
  const bool tried = found != nullptr && (found->provisional() || !found->quarantine().empty());
  if (why == EndedFor::none && !tried) note_death(module, Milliseconds(0));
}

// What hangs, as all does that waits for one card, has been silent before it is noticed.
void SupervisorCore::fell_silent(std::string_view module, Milliseconds silence) {
  note_death(module, std::min(silence, longest_silence));
}

void SupervisorCore::note_death(std::string_view module, Milliseconds silence) {
  const SteadyTime now = ports_.clock.steady();
  while (!ended_.empty() && now - ended_.front().at > longest_silence)
    ended_.pop_front();
  ended_.push_back({now, std::string(module), false});
  const auto first = std::ranges::find_if(
      ended_, [&](const Ended& ended) { return now - ended.at <= std::max(together, silence); });
  const std::ranges::subrange at_once(first, ended_.end());
  std::set<std::string> names;
  for (const Ended& ended : at_once)
    names.insert(ended.module);
  if (names.size() < together_count) return;
  if (std::ranges::none_of(at_once, &Ended::shared)) together_ = {};
  for (Ended& ended : at_once) {
    if (std::exchange(ended.shared, true)) continue;
    if (SupervisedModule* found = find(ended.module))
      (found->forgive() ? together_.forgiven : together_.counted) = true;
  }
  const std::size_t before = together_.modules.size();
  together_.modules.merge(names);
  if (together_.modules.size() == before) return;
  const std::string_view counts =
      !together_.forgiven ? " again, before they had run well: it counts against each of them"
      : together_.counted
          ? ": one cause, which counts only against those that had not run well since the last"
          : ": one cause, which does not count the first time";
  alert(SupervisorAlert::Kind::died_together, {together_.modules.begin(), together_.modules.end()},
        modules_text(together_.modules) + " ended or fell silent at the same time" + std::string(counts));
}

void SupervisorCore::slower(std::string_view module, RetryPace pace, std::string_view why) {
  const std::string begin = "module '" + std::string(module) + "' ";
  const std::string end = ": " + std::string(why);
  switch (pace) {
    case RetryPace::quick: break;
    case RetryPace::slow:
      return alert(SupervisorAlert::Kind::crash_loop, {std::string(module)},
                   begin + "fails again and again; it is tried every 5 min" + end);
    case RetryPace::memory_hold:
      return alert(SupervisorAlert::Kind::memory_hold, {std::string(module)},
                   begin + "ran out of memory three times in 10 min; it is tried again in 15 min" + end);
    case RetryPace::never:
      return alert(SupervisorAlert::Kind::needs_help, {std::string(module)},
                   begin + "is not tried again until it is started or changed" + end);
  }
}

void SupervisorCore::alert(SupervisorAlert::Kind kind, std::vector<std::string> modules, std::string text) {
  log_.error(text);
  outbox_.push_back(
      [this, alert = SupervisorAlert{kind, std::move(modules), std::move(text)}] { listener_.alert(alert); });
}

void SupervisorCore::reverted(std::string_view module, std::string_view why, bool waited) {
  log_.warning("enabling a module failed; it is disabled again", {{"module", module}, {"why", why}});
  outbox_.push_back([this, name = std::string(module), text = std::string(why), waited] {
    listener_.enable_reverted(name, text, waited);
  });
}

void SupervisorCore::unkillable(std::string_view module, std::string_view why) {
  alert(SupervisorAlert::Kind::needs_help, {std::string(module)},
        "module '" + std::string(module) + "' does not end: " + std::string(why));
  changed_ = true;
}

// A transition may not follow: what an earlier agent left may be of a module that is disabled.
void SupervisorCore::ended_after_all(std::string_view module) {
  log_.info("what could not be ended of a module has ended", {{"module", module}});
  changed_ = true;
}

void SupervisorCore::misunderstood(std::string_view module, std::string_view why) {
  log_.warning("a module is misunderstood", {{"module", module}, {"problem", why}});
  changed_ = true;
}

void SupervisorCore::answer(Answered answered, Result<ModuleState> result) {
  answers_.push_back([answered = std::move(answered), result = std::move(result)] { answered(result); });
}

// ---- looking up

SupervisedModule* SupervisorCore::find(std::string_view name) const {
  const auto found = modules_.find(name);
  return found == modules_.end() ? nullptr : found->second.get();
}

SupervisedModule* SupervisorCore::find_run(std::string_view id, std::uint64_t& run) const {
  const auto name = parse_child_id(id);
  if (!name) return nullptr;
  run = name->run;
  return find(name->module);
}

std::vector<ModuleStatus> SupervisorCore::statuses() const {
  std::vector<ModuleStatus> all;
  for (const auto& [name, module] : modules_)
    all.push_back(module->status());
  return all;
}

std::optional<ModuleStatus> SupervisorCore::status(std::string_view name) const {
  const SupervisedModule* module = find(name);
  return module == nullptr ? std::nullopt : std::optional(module->status());
}

bool SupervisorCore::is_present(std::string_view id) const {
  std::uint64_t run = 0;
  const SupervisedModule* module = find_run(id, run);
  return module != nullptr && module->is_present(run);
}

bool SupervisorCore::is_enabled(std::string_view name) const {
  const SupervisedModule* module = find(name);
  return module != nullptr && module->enabled();
}

bool SupervisorCore::is_provisional(std::string_view name) const {
  const SupervisedModule* module = find(name);
  if (module == nullptr) return false;
  return begun_ ? module->provisional() : module->enabled();  // until then it may have to be
}

bool SupervisorCore::is_held_up(std::string_view name) const {
  const SupervisedModule* module = find(name);
  return module != nullptr && module->is_held_up();
}

bool SupervisorCore::is_ending(std::string_view name) const {
  const SupervisedModule* module = find(name);
  return module != nullptr && module->is_ending();
}

bool SupervisorCore::is_quarantined(std::string_view name) const {
  const SupervisedModule* module = find(name);
  return module != nullptr && !module->quarantine().empty();
}

}  // namespace starling::agent
