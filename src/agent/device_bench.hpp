// Purpose: a whole device for tests: every core that the agent is made of, wired as Agent and Supervisor wire
// them, with a keeper, modules, disk, hub and time that do as they are told. Owner: a test. Thread: one.
// Lifetime: a test; agents die and start again on it.
//
// The agent can be ended at each of its persistence steps, and at each request to the keeper and message to
// the hub. From then on nothing that it still does has an effect.
#pragma once

#include <sys/mman.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/device_core.hpp"
#include "agent/hub_bench.hpp"
#include "agent/settings_bench.hpp"
#include "agent/supervisor/folders/module_folder.hpp"
#include "agent/supervisor/settings_trial.hpp"
#include "agent/supervisor/supervisor_bench.hpp"
#include "base/file_descriptor.hpp"
#include "base/files.hpp"

namespace starling::agent {

class DeviceBench : private LinkOutput,
                    private ModuleOutput,
                    private KeeperPort,
                    private TreePort,
                    private ConfigFiles,
                    private SupervisorListener,
                    private ModuleRunner,
                    private ModuleSupervision {
 public:
  DeviceBench(std::uint64_t seed, FakeDisk::Unsynced unsynced) : disk(seed, unsynced) {
    static const protocol::Catalog shared_catalog = test_catalog();
    catalog_ = &shared_catalog;
    hub = std::make_unique<HubBench>(shared_catalog);
    EXPECT_TRUE(disk.make_folder("modules") && disk.sync_folder(""));
  }

  // Each uses hotword.engine, and is started again when it changes; with "not for a" a cannot run.
  void install(const std::string& name, bool gets_ready) {
    EXPECT_TRUE(disk.make_folder("modules/" + name) && disk.sync_folder("modules"));
    disk.put(config_path(name), "enabled = false\n");
    names_.push_back(name);
    if (!gets_ready) never_ready_.insert(name);
  }

  // All that its agents say from now on, in the log and to whoever asked.
  void listen() {
    log_file_.reset(::memfd_create("log", MFD_CLOEXEC));
    log_ = std::make_unique<Log>(clock, log_file_.number(), LogFormat::json);
  }
  std::string said() const {
    return complaints_ +
           read_file("/proc/self/fd/" + std::to_string(log_file_.number()), 16 << 20).value_or("");
  }

  // ---- the agent's life
  bool alive() const { return core != nullptr && !disk.crashed(); }
  void start_agent() {
    if (disk.crashed()) return;
    DeviceOptions options;
    options.board_serial = "board-1";
    options.seed = ++starts_;
    options.link.boot_id = boot_id;
    auto loaded = DeviceCore::load(disk, clock, *catalog_, maker_, static_cast<LinkOutput&>(*this),
                                   static_cast<ModuleOutput&>(*this), std::move(options), log_.get());
    EXPECT_TRUE(loaded || disk.crashed() || disk.is_full()) << loaded.error().message;
    if (!loaded) return complain(loaded.error());
    device = std::move(*loaded);
    const Logger logger = log_ != nullptr ? Logger(*log_, "modules") : Logger();
    recovery = std::make_unique<SessionRecovery>(disk, boot_id, logger);
    mirror = std::make_unique<ConfigMirror>(static_cast<ConfigFiles&>(*this), disk, logger);
    core = std::make_unique<SupervisorCore>(
        ProcessPorts{clock, static_cast<KeeperPort&>(*this), static_cast<TreePort&>(*this), environment_},
        board, *recovery, *mirror, static_cast<SupervisorListener&>(*this), SeededRandom(starts_), logger);
    device->section().run_by(*this);
    trial_ = {};
    known_before_.clear();
    for (const std::string& name : names_)
      add(name);
    device->supervise(*this);
    device->settings().subscriptions().subscribe({std::string(engine)},
                                                 [this](const SettingsChange&) { settings_changed(); });
    std::vector<KeptChild> list;
    for (const auto& [id, child] : board.children)
      list.push_back(kept(id, child));
    core->attached(list);
    trial_.begin(*core, *recovery, [this](const std::string& name) { return known_before_.contains(name); });
    for (const ModuleStatus& module : core->statuses()) {
      const bool witness = device->settings().witnesses().contains(module.name);
      if (witness && module.cause == Cause::adopted) core->settings_changed(module.name);
    }
    device->settings().witnesses_told();
    device->connect();
    deliver();
  }
  void stop_agent() {  // in order; its modules run on
    if (alive()) core->write_files();
    kill_agent();
  }
  // What it had sent arrives; keeper and modules go on.
  void kill_agent() {
    while (!to_hub_.empty())
      (void)hear_next();
    core.reset();
    device.reset();
    mirror.reset();
    recovery.reset();
    to_device_.clear();
    asked_.clear();
    for (auto& [id, child] : board.children)
      if (child.pid == 0) child.pid = ++last_pid_;
  }
  void boot() {  // again, after the power was cut or all had ended
    kill_agent();
    board.children.clear();
    said_ready_.clear();
    cannot_run_.clear();
    boot_id = "boot-" + std::to_string(++boots_);
  }

  // ---- what happens
  void connect_hub(bool there) {
    hub_is_there = there;
    if (!there && alive()) device->link().closed("the line is cut");
    if (!there) to_device_.clear();
  }
  void push() {
    if (alive() && device->link().established()) queue(hub->push());
    deliver();
  }
  // Whether it was answered that it is so.
  bool command(const std::string& module, ModuleCommand what) {
    if (!alive()) return false;
    const auto done = std::make_shared<bool>(false);
    const auto answered = [this, done](const Result<ModuleState>& settled) {
      *done = settled.has_value() && alive();
      if (!settled) complain(settled.error());
    };
    if (what == ModuleCommand::enable || what == ModuleCommand::disable) {
      device->section().toggle(module, what == ModuleCommand::enable, answered);
    } else {
      core->command(module, what, answered);
    }
    pass(Seconds(40));
    return *done;
  }
  bool edit(const std::string& key, const Json& value) {  // a setting
    if (!alive()) return false;
    const auto done = std::make_shared<bool>(false);
    device->settings().set(key, value, [this, done](const Result<void>& set) {
      *done = set && alive();
      if (!set) complain(set.error());
    });
    deliver();
    return *done;
  }
  void edit_override(const std::string& name, const Json& value) {  // by hand
    if (!alive()) return;
    Json file = parse_json(disk.content(override_path).value_or("{}")).value();
    file.get_object()[name] = value;
    disk.put(override_path, boost::json::serialize(file));
    device->settings().check_override();
    deliver();
  }
  void edit_config(const std::string& module, bool enabled) {  // by hand
    disk.put(config_path(module), enabled ? "enabled = true # mine\n" : "enabled = false # mine\n");
    if (alive()) config_changed(module);
    deliver();
  }
  void die(const std::string& module) {
    for (auto& [id, child] : board.children)
      if (parse_child_id(id)->module == module) FakeBoard::end(child, SIGSEGV);
    deliver();
  }
  void shut_down() {  // the device, in order
    if (!alive()) return;
    bool down = false;
    core->shut_down([&down] { down = true; });
    pass(Seconds(30));
    if (!alive()) return;
    EXPECT_TRUE(down);
    stop_agent();
    boot();
  }

  // ---- time, deadline by deadline
  void pass(Milliseconds time) {
    const SteadyTime until = clock.steady() + time;
    deliver();
    while (alive()) {
      auto next = core->next_deadline();
      if (const auto other = device->next_deadline(); other && (!next || *other < *next)) next = other;
      const auto target = next ? std::min(*next, until) : until;
      clock.advance(std::max(std::chrono::ceil<Milliseconds>(target - clock.steady()), Milliseconds(0)));
      if (device->link().established()) device->link().alive();
      device->tick();
      core->tick();
      deliver();
      if (target == until) break;
    }
  }

  // ---- what is so
  std::optional<bool> config(const std::string& module) const {
    const auto text = disk.content(config_path(module));
    return text ? enabled_in(*text).value_or(std::nullopt) : std::nullopt;
  }
  std::set<ChildId> living() const {
    std::set<ChildId> ids;
    for (const auto& [id, child] : board.children)
      if (!child.exit) ids.insert(id);
    return ids;
  }
  bool all_run_with_the_settings_in_force() const {
    const auto in_force = device->settings().values().find(engine);
    return std::ranges::all_of(living(),
                               [&](const ChildId& id) { return started_with_.at(id) == in_force->second; });
  }
  const std::vector<std::string>& names() { return names_; }
  JsonObject report_of_modules() const {
    JsonObject report;
    add_to(report);
    return report["modules"].get_object();
  }

  ManualClock clock;
  FakeDisk disk;
  FakeBoard board;
  std::unique_ptr<HubBench> hub;
  bool hub_is_there = true;
  std::string boot_id = "boot-1";
  std::unique_ptr<DeviceCore> device;
  std::unique_ptr<SessionRecovery> recovery;
  std::unique_ptr<ConfigMirror> mirror;
  std::unique_ptr<SupervisorCore> core;

  // The agent's effects on others, so far; it dies at the beginning of this one.
  std::uint64_t effects = 0;
  std::optional<std::uint64_t> dies_at_effect;
  int lists_dropped_too_early = 0;  // running_modules.json was gone before all of it ran

 private:
  static constexpr std::string_view engine = "hotword.engine";

  static std::string config_path(std::string_view module) {
    return "modules/" + std::string(module) + "/config.txt";
  }
  void complain(const Error& error) { complaints_ += error.message + "\n"; }
  bool effect() {
    if (disk.crashed()) return false;
    if (++effects == dies_at_effect) disk.crash_now();
    return !disk.crashed();
  }

  // ---- as Supervisor does
  void add(const std::string& name) {
    if (mirror->known(name)) known_before_.insert(name);
    const ModulesSection& section = device->section();
    const auto begin = mirror->begin(name, config(name), section.wanted(name), section.edits_lost());
    ModuleManifest manifest;
    manifest.name = name;
    manifest.folder = "/modules/" + name;
    manifest.exec = manifest.folder + "/run";
    manifest.readiness = Readiness::notify;
    manifest.uses = {std::string(engine)};
    manifest.on_change = OnChange::restart;
    core->add(name, std::move(manifest), begin.enabled, begin.proved);
    if (begin.hand_edit) device->section().edited_by_hand(name, *begin.hand_edit);
  }
  void config_changed(const std::string& module) {
    const std::optional<bool> says = config(module);
    if (!says || mirror->known(module) == *says) return;
    mirror->found(module, *says);
    device->section().edited_by_hand(module, *says);
  }
  void modules_changed() override {
    device->link().report_changed();
    device->section().modules_changed();
    trial_.follow(*core);
    judge_settings();
  }
  void module_died(std::string_view module, const DeathReport&, bool unexpected) override {
    if (unexpected) trial_.died(module);
    judge_settings();
    device->link().report_changed();
  }
  void judge_settings() {
    if (const auto now = verdict(); !now.failure.empty()) device->settings().unhealthy(now.failure);
  }
  void settings_changed() {
    for (const std::string& name : names_) {
      trial_.settings_changed(name);
      core->settings_changed(name);
    }
  }
  void enable_reverted(std::string_view module, std::string_view why, bool /*waited*/) override {
    device->section().reverted(module, why);
  }
  void module_removed(std::string_view) override {}
  void module_came_up(std::string_view) override {}  // none requires another
  void alert(const SupervisorAlert&) override { device->link().report_changed(); }
  std::vector<std::string> names() const override { return names_; }
  bool is_enabled(std::string_view module) const override { return core->is_enabled(module); }
  bool is_provisional(std::string_view module) const override { return core->is_provisional(module); }
  bool is_held_up(std::string_view module) const override { return core->is_held_up(module); }
  bool is_ending(std::string_view module) const override { return core->is_ending(module); }
  bool is_shipped_enabled(std::string_view module) const override { return mirror->shipped(module); }
  bool is_missing(std::string_view) const override { return false; }
  void forget_missing(const std::string&) override {}
  bool is_quarantined(std::string_view module) const override { return core->is_quarantined(module); }
  void command(std::vector<Commanded> commands) override { core->command(std::move(commands)); }
  bool has(std::string_view) const override { return true; }
  void add_to(JsonObject& report) const override {
    JsonObject& modules = report["modules"].emplace_object();
    for (const ModuleStatus& status : core->statuses()) {
      modules[status.name] = JsonObject{{"enabled", status.enabled}, {"state", to_string(status.state)}};
    }
  }
  void follow_log(const protocol::LogFollow&) override {}
  void stop_log(std::string_view) override {}
  void stop_logs() override {}
  ModuleNames witnesses(std::span<const std::string> changed) const override {
    ModuleNames working;
    for (const std::string& name : names_)
      if (std::ranges::find(changed, engine) != changed.end() && trial_.works(name)) working.insert(name);
    return working;
  }
  SettingsVerdict verdict() const override { return trial_.verdict(*core, device->settings().witnesses()); }
  std::map<std::string, Milliseconds> having_a_say() const override { return {}; }
  Result<void> check_peer(std::string_view, std::int32_t) const override { return {}; }
  void said_hello(std::string_view) override {}
  void said_state(std::string_view, std::string_view, std::string_view) override {}
  void said_wrongly(std::string_view, std::int32_t, std::string_view) override {}
  std::string why_not_connected(std::string_view) const override { return ""; }

  // ---- what leaves the agent
  void spawn(SpawnRequest request) override {
    if (!effect()) return;
    said_ready_.erase(request.id);
    const Json& value = device->settings().values().find(engine)->second;
    started_with_[request.id] = value;
    if (value == Json("not for " + std::string(parse_child_id(request.id)->module))) {
      cannot_run_.insert(request.id);
    }
    board.spawn(std::move(request));
  }
  void signal(std::string_view id, int number, SignalScope scope) override {
    if (!effect()) return;
    board.signal(id, number, scope);
    const auto child = board.children.find(ChildId(id));
    if (child != board.children.end()) FakeBoard::end(child->second, number);  // they are obedient
  }
  void forget(std::string_view id) override {
    if (effect()) board.forget(id);
  }
  void name_main(std::string_view, std::int32_t, std::uint64_t) override {}
  void list() override {}
  void healthy() override {}
  void stopping(Milliseconds) override {}
  Result<TreePlace> make(const ModuleManifest& manifest, std::string_view child) override {
    return board.make(manifest, child);
  }
  void kill(std::string_view module) override {
    if (effect()) board.kill(module);
  }
  bool empty(std::string_view module) const override { return board.empty(module); }
  std::string unmet_limits(const ModuleManifest&) const override { return {}; }
  bool main_lives(std::string_view module) const override { return board.main_lives(module); }
  std::vector<std::string> left_over() const override { return board.left_over(); }
  bool holds_module(std::string_view) const override { return true; }
  Result<std::optional<bool>> says(std::string_view module) override {
    const auto text = disk.read_file(config_path(module), 4096);
    return text ? enabled_in(*text) : fail(text);
  }
  Result<void> write_enabled(std::string_view module, bool enabled) override {
    const auto text = disk.read_file(config_path(module), 4096);
    if (!text) return fail(text);
    return replace_file(disk, config_path(module), config_with_enabled(*text, enabled));
  }
  void enrol() override {
    if (effect()) asked_.push_back("enrol");
  }
  void connect(std::string_view) override {
    if (effect()) asked_.push_back("connect");
  }
  void send(std::string_view text) override {
    if (effect()) to_hub_.emplace_back(text);
  }
  void close(std::string_view reason) override { ADD_FAILURE() << "the device leaves the hub: " << reason; }
  void send_line(ModuleId, std::string_view) override {}
  void drop(ModuleId) override {}

  // ---- what comes to it: until nothing is on its way
  void deliver() {
    while (alive() && (serve_link() || hear_next() || tell_device() || serve_modules()))
      watch_list();
    watch_list();
  }
  void queue(std::vector<protocol::FromHub> messages) {
    std::ranges::move(messages, std::back_inserter(to_device_));
  }
  bool serve_link() {
    if (asked_.empty()) return false;
    const std::string asked = asked_.front();
    asked_.pop_front();
    if (!hub_is_there) {
      device->link().attempt_failed({ErrorCode::unavailable, "no hub", ""});
    } else if (asked == "enrol") {
      device->link().enrolled("token");
    } else {
      device->link().opened();
      queue(hub->greet());
    }
    return true;
  }
  bool hear_next() {
    if (to_hub_.empty()) return false;
    const auto message = protocol::decode_from_device(to_hub_.front());
    to_hub_.pop_front();
    EXPECT_TRUE(message);
    if (hub_is_there) queue(hub->hear(*message));
    return true;
  }
  bool tell_device() {
    if (to_device_.empty()) return false;
    const std::string text = protocol::encode(to_device_.front());
    to_device_.pop_front();
    device->link().received(text);
    return true;
  }
  bool serve_modules() {
    for (auto& [id, child] : board.children) {
      const ChildId name = id;
      if (child.exit && !std::exchange(child.told, true)) {
        const ChildExit exit = *child.exit;
        return core->exited(name, exit), true;
      }
      if (child.exit) continue;
      if (child.pid == 0) {
        child.pid = ++last_pid_;
        return core->spawned(kept(name, child)), true;
      }
      if (cannot_run_.contains(name)) {
        FakeBoard::end(child, 78);
        child.exit->kind = ChildExit::Kind::exited;
        return true;
      }
      const bool silent = never_ready_.contains(std::string(parse_child_id(name)->module));
      if (silent || said_ready_.contains(name)) continue;
      NotifyMessage message;
      message.ready = true;
      core->notified(name, message);
      if (alive()) said_ready_.insert(name);  // else the next agent finds it in the socket
      return true;
    }
    return false;
  }
  void watch_list() {
    if (!alive()) return;
    const auto former = std::exchange(list_, disk.content(SessionRecovery::path));
    if (!former || list_) return;
    const Json file = parse_json(*former).value();
    for (const Json& name : file.at("running_modules").as_array()) {
      const auto status = core->status(std::string_view(name.as_string()));
      if (status && status->wanted && !is_ready(status->state)) ++lists_dropped_too_early;
    }
  }
  static KeptChild kept(const ChildId& id, const FakeBoard::Child& child) {
    KeptChild kept;
    kept.id = id;
    kept.pid = child.pid;
    kept.start_time = static_cast<std::uint64_t>(child.pid) * 100;
    kept.exit = child.exit;
    return kept;
  }

  FileDescriptor log_file_;
  std::unique_ptr<Log> log_;
  std::string complaints_;
  const protocol::Catalog* catalog_ = nullptr;
  RandomIdentityMaker maker_{clock};
  Environment environment_{{"PATH", "/usr/bin"}};
  std::vector<std::string> names_;
  std::set<std::string> never_ready_;
  std::set<ChildId> said_ready_;
  std::map<ChildId, Json> started_with_;
  std::set<ChildId> cannot_run_;  // with the settings that they were started with
  SettingsTrial trial_;
  std::set<std::string> known_before_;
  std::uint64_t starts_ = 0;
  int boots_ = 1;
  std::int32_t last_pid_ = 100;
  std::optional<std::string> list_;  // running_modules.json
  std::deque<std::string> asked_, to_hub_;
  std::deque<protocol::FromHub> to_device_;
};

}  // namespace starling::agent
