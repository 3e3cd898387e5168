// Purpose: a board for tests of the supervisor: processes, disk and time that do as they are told, and agents
// that start, die and start again on it. Owner: a test. Thread: one. Lifetime: a test.
#pragma once

#include <algorithm>
#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fake_disk.hpp"
#include "agent/supervisor/keeper/spawn_plan.hpp"
#include "agent/supervisor/supervisor_core.hpp"

namespace starling::agent {

// Keeper and process trees. It answers nothing by itself: SupervisorBench carries its events to the core.
class FakeBoard final : public KeeperPort, public TreePort, public DeathExaminer, public ConfigFiles {
 public:
  struct Child {
    std::int32_t pid = 0;  // of its main process; 0: asked for, not yet made
    std::optional<ChildExit> exit;
    bool told = false;  // its exit
    std::vector<NotifyMessage> last_words;
    std::string mark;
  };
  struct Signal {
    ChildId id;
    int number;
    SignalScope scope;
  };

  std::map<ChildId, Child> children;              // of the keeper
  std::set<std::string, std::less<>> leftovers;   // modules with grandchildren that live
  std::set<std::string, std::less<>> unkillable;  // modules whose leftovers outlive a SIGKILL for a while
  std::map<std::string, std::string, std::less<>> unmet;  // limits, by module
  std::set<std::string, std::less<>> out_of_memory;       // modules whose deaths are of this class
  struct Named {
    ChildId id;
    std::int32_t pid;
    std::uint64_t start_time;
  };
  std::vector<Signal> signals;
  std::vector<Named> named;                         // as main processes
  std::map<std::string, bool, std::less<>> config;  // enabled = ... of each config.txt
  std::set<std::string, std::less<>> unwritable;    // config.txt of these modules
  std::set<std::string, std::less<>> without_manifest;
  Death examined;  // the last one
  int lists = 0;
  std::function<void()> at_spawn;
  std::vector<Milliseconds> stop_times;  // that the keeper was told
  bool keeper_away = false;
  bool keeps_marks = true;  // else it is an older keeper
  std::vector<std::string> violations;

  int living(std::string_view module) const {
    int count = 0;
    for (const auto& [id, child] : children)
      count += parse_child_id(id)->module == module && !child.exit ? 1 : 0;
    return count;
  }

  // KeeperPort
  void spawn(SpawnRequest request) override {
    const std::string module(parse_child_id(request.id)->module);
    if (at_spawn) at_spawn();
    if (living(module) > 0) violations.push_back("a second process of " + module);
    if (children.contains(request.id)) violations.push_back("a child id used twice: " + request.id);
    if (keeper_away) return;
    children[request.id] = {};
    if (keeps_marks) children[request.id].mark = request.mark;
  }
  void signal(std::string_view id, int number, SignalScope scope) override {
    signals.push_back({ChildId(id), number, scope});
    const auto child = children.find(ChildId(id));
    if (number == SIGKILL && child != children.end() && !keeper_away) end(child->second, SIGKILL);
  }
  void forget(std::string_view id) override {
    const auto child = children.find(ChildId(id));
    if (child != children.end() && child->second.exit) children.erase(child);
  }
  void name_main(std::string_view id, std::int32_t pid, std::uint64_t start_time) override {
    named.push_back({ChildId(id), pid, start_time});
  }
  void list() override { ++lists; }
  void healthy() override {}
  void stopping(Milliseconds within) override { stop_times.push_back(within); }

  // TreePort
  Result<TreePlace> make(const ModuleManifest& manifest, std::string_view) override {
    if (!empty(manifest.name)) violations.push_back("started upon leftovers: " + manifest.name);
    return TreePlace{};
  }
  std::string unmet_limits(const ModuleManifest& manifest) const override {
    const auto found = unmet.find(manifest.name);
    return found == unmet.end() ? "" : found->second;
  }
  void kill(std::string_view module) override {
    for (auto& [id, child] : children)
      if (parse_child_id(id)->module == module && !child.exit && child.pid != 0) end(child, SIGKILL);
    if (!unkillable.contains(module)) leftovers.erase(std::string(module));
  }
  bool empty(std::string_view module) const override {
    return living(module) == 0 && !leftovers.contains(module);
  }

  bool main_lives(std::string_view module) const override { return living(module) > 0; }
  std::vector<std::string> left_over() const override { return {leftovers.begin(), leftovers.end()}; }

  // DeathExaminer
  DeathReport examine(const Death& death) override {
    examined = death;
    DeathReport report;
    report.death_class =
        out_of_memory.contains(death.module) ? DeathClass::out_of_memory : DeathClass::signal;
    report.text = death.exit.kind == ChildExit::Kind::exited
                      ? "exit status " + std::to_string(death.exit.status)
                      : "killed by signal " + std::to_string(death.exit.status);
    return report;
  }

  std::string explain(const SpawnFailure& failure, const ModuleManifest& manifest) override {
    return describe(failure, manifest);
  }

  std::string last_line(std::string_view module) const override {
    const auto line = last_lines.find(module);
    return line == last_lines.end() ? std::string() : line->second;
  }
  std::map<std::string, std::string, std::less<>> last_lines;

  // ConfigFiles
  bool holds_module(std::string_view module) const override { return !without_manifest.contains(module); }
  Result<std::optional<bool>> says(std::string_view module) override {
    const auto said = config.find(std::string(module));
    return said == config.end() ? std::optional<bool>() : said->second;
  }
  Result<void> write_enabled(std::string_view module, bool enabled) override {
    if (unwritable.contains(module)) return fail(ErrorCode::permission_denied, "config.txt is read-only");
    config[std::string(module)] = enabled;
    return {};
  }

  static void end(Child& child, int signal) {
    if (child.exit) return;
    child.exit = ChildExit{};
    child.exit->kind = ChildExit::Kind::killed;
    child.exit->status = signal;
  }
};

class SupervisorBench : public SupervisorListener {
 public:
  ManualClock clock;
  FakeBoard board;
  FakeDisk disk;
  Environment environment{{"PATH", "/usr/bin"}};
  std::string boot_id = "boot-1";
  std::map<std::string, Result<ModuleManifest>> manifests;
  std::map<std::string, bool> enabled;  // as the generation has it
  std::set<std::string> unproved;       // their enable was not settled when the agent ended

  std::unique_ptr<SessionRecovery> recovery;
  std::unique_ptr<ConfigMirror> mirror;
  std::unique_ptr<SupervisorCore> core;

  std::vector<std::string> deaths, reverts, removed, came_up;
  std::vector<SupervisorAlert> alerts;
  std::vector<std::string> answers;  // "idle", "conflict", ...
  int changes = 0;                   // told

  ModuleManifest& module(const std::string& name, bool is_enabled = false) {
    ModuleManifest manifest;
    manifest.name = name;
    manifest.folder = "/modules/" + name;
    manifest.exec = manifest.folder + "/run";
    manifest.readiness = Readiness::notify;
    enabled[name] = is_enabled;
    return *manifests.insert_or_assign(name, std::move(manifest)).first->second;
  }

  // ---- the agent's life
  void start_agent(bool attach = true) {
    recovery = std::make_unique<SessionRecovery>(disk, boot_id, Logger());
    mirror = std::make_unique<ConfigMirror>(board, disk, Logger());
    core = std::make_unique<SupervisorCore>(ProcessPorts{clock, board, board, environment}, board, *recovery,
                                            *mirror, *this, SeededRandom(7), Logger());
    for (const auto& [name, manifest] : manifests) {
      if (board.config.contains(name)) mirror->found(name, board.config[name]);
      core->add(name, manifest, enabled[name], !unproved.contains(name));
    }
    if (attach) this->attach();
  }
  void attach() {
    std::vector<KeptChild> list;
    for (const auto& [id, child] : board.children)
      if (child.pid != 0 || child.exit) list.push_back(kept(id, child));
    core->attached(list);
    deliver();
  }
  void kill_agent() {
    core.reset();
    for (auto& [id, child] : board.children)  // the keeper goes on
      if (child.pid == 0) child.pid = ++last_pid_;
  }
  void pull_plug(const std::string& next_boot) {
    kill_agent();
    board.children.clear();
    board.leftovers.clear();
    boot_id = next_boot;
    disk.crash_now();
    disk.restore_power();
  }

  // ---- commands
  void command(const std::string& name, ModuleCommand what) {
    core->command(name, what, [this, name](const Result<ModuleState>& settled) {
      answers.push_back(name + ": " +
                        std::string(settled ? to_string(*settled) : to_string(settled.error().code)));
    });
    if (what == ModuleCommand::enable) enabled[name] = true;
    if (what == ModuleCommand::disable) enabled[name] = false;
    deliver();
  }

  // ---- processes
  ChildId present(const std::string& name) const { return name + ":" + std::to_string(status(name).run); }
  void make(const std::string& name) {  // the keeper has spawned it
    const ChildId id = present(name);
    FakeBoard::Child& child = board.children.at(id);
    child.pid = ++last_pid_;
    core->spawned(kept(id, child));
    deliver();
  }
  void refuse(const std::string& name, int error) {
    const ChildId id = present(name);
    board.children.erase(id);
    core->spawn_failed({id, SpawnStep::exec, error});
    deliver();
  }
  void say(const std::string& name, const NotifyMessage& message) {
    core->notified(present(name), message);
    deliver();
  }
  // A process of the module's, which is called by its number.
  void name_main(const std::string& name, std::int32_t pid) {
    NotifyMessage message;
    message.main_pid = pid;
    message.main_start_time = start_time(pid);
    say(name, message);
  }
  void take_main() {  // the keeper has, what was named last
    const FakeBoard::Named named = board.named.back();
    FakeBoard::Child& child = board.children.at(named.id);
    child.pid = named.pid;
    child.exit.reset();
    child.told = false;
    core->main_taken(named.id, named.pid, named.start_time);
    deliver();
  }
  void refuse_main(int error) {
    const FakeBoard::Named named = board.named.back();
    core->main_refused(named.id, named.pid, error);
    deliver();
  }
  void ready(const std::string& name) {
    NotifyMessage message;
    message.ready = true;
    say(name, message);
  }
  void up(const std::string& name) {
    make(name);
    ready(name);
  }
  void record(const std::string& name, bool on) {
    NotifyMessage message;
    message.recording = on ? NotifyRecording::recording : NotifyRecording::idle;
    say(name, message);
  }
  void die(const std::string& name, int signal = SIGSEGV) {
    FakeBoard::end(board.children.at(present(name)), signal);
    deliver();
  }
  void exit(const std::string& name, int status) {
    FakeBoard::Child& child = board.children.at(present(name));
    FakeBoard::end(child, status);
    child.exit->kind = ChildExit::Kind::exited;
    deliver();
  }

  // The keeper tells of the exits that it has not told of.
  void deliver() {
    for (bool news = core != nullptr && !board.keeper_away; news;) {
      news = false;
      for (auto& [id, child] : board.children) {
        if (!child.exit || child.told) continue;
        child.told = news = true;
        const ChildId ended = id;
        const ChildExit exit = *child.exit;
        core->exited(ended, exit);
        break;  // the children have changed
      }
    }
  }

  // ---- time, deadline by deadline
  void pass(Milliseconds time) {
    const SteadyTime until = clock.steady() + time;
    while (true) {
      const auto next = core->next_deadline();
      if (!next || *next > until) break;
      const auto wait = std::chrono::ceil<Milliseconds>(*next - clock.steady());
      clock.advance(std::max(wait, Milliseconds(0)));
      core->tick();
      deliver();
    }
    clock.advance(std::chrono::ceil<Milliseconds>(until - clock.steady()));
    core->tick();
    deliver();
  }

  // To the deadline that brings the module there; gives up after a day.
  void pass_until(const std::string& name, ModuleState wanted) {
    const SteadyTime limit = clock.steady() + Seconds(86'400);
    while (state(name) != wanted && clock.steady() < limit) {
      const auto next = core->next_deadline();
      pass(next ? std::chrono::ceil<Milliseconds>(*next - clock.steady()) : Milliseconds(60'000));
    }
  }

  // Of one that has gone: as if it had never been.
  ModuleStatus status(const std::string& name) const { return core->status(name).value_or(ModuleStatus()); }
  ModuleState state(const std::string& name) const { return status(name).state; }
  bool file_exists() const { return disk.content(SessionRecovery::path).has_value(); }

  // SupervisorListener
  void modules_changed() override { ++changes; }
  void module_removed(std::string_view name) override { removed.emplace_back(name); }
  void module_came_up(std::string_view name) override { came_up.emplace_back(name); }
  void module_died(std::string_view name, const DeathReport&, bool unexpected) override {
    if (unexpected) deaths.emplace_back(name);
  }
  void enable_reverted(std::string_view name, std::string_view why, bool /*waited*/) override {
    reverts.push_back(std::string(name) + ": " + std::string(why));
    enabled[std::string(name)] = false;
  }
  void alert(const SupervisorAlert& alert) override { alerts.push_back(alert); }

 private:
  KeptChild kept(const ChildId& id, const FakeBoard::Child& child) const {
    KeptChild kept;
    kept.id = id;
    kept.pid = child.pid;
    kept.start_time = start_time(child.pid);
    kept.exit = child.exit;
    kept.last_words = child.last_words;
    kept.mark = child.mark;
    return kept;
  }

  static std::uint64_t start_time(std::int32_t pid) { return static_cast<std::uint64_t>(pid) * 100; }

  std::int32_t last_pid_ = 100;
};

}  // namespace starling::agent
