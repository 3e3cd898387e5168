// Purpose: runs the modules of a real machine: keeper, process trees, pipes, notify sockets, module folders
// and the board's health around SupervisorCore; says to the rest of the device what becomes of them. Owner:
// Agent. Thread: the io_context's. Lifetime: stop() completes before destruction; everything passed in
// outlives it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/device_core.hpp"
#include "agent/supervisor/board_health.hpp"
#include "agent/supervisor/config_txt_files.hpp"
#include "agent/supervisor/deaths/cause_of_death.hpp"
#include "agent/supervisor/folders/arriving_folders.hpp"
#include "agent/supervisor/folders/module_folder.hpp"
#include "agent/supervisor/folders/module_watch.hpp"
#include "agent/supervisor/keeper/keeper_client.hpp"
#include "agent/supervisor/logs/log_readers.hpp"
#include "agent/supervisor/logs/module_outputs.hpp"
#include "agent/supervisor/module_history.hpp"
#include "agent/supervisor/module_report.hpp"
#include "agent/supervisor/notify/notify_reader.hpp"
#include "agent/supervisor/open_alerts.hpp"
#include "agent/supervisor/processes/process_tree.hpp"
#include "agent/supervisor/processes/resource_sampler.hpp"
#include "agent/supervisor/settings_trial.hpp"
#include "agent/supervisor/supervisor_core.hpp"
#include "agent/wakeup.hpp"

namespace starling::agent {

struct SupervisorOptions {
  std::filesystem::path modules;          // absolute
  std::filesystem::path release_modules;  // likewise: those go before others of their names; empty: none
  std::string release;                    // its version
  std::filesystem::path release_python;   // its Python environment, absolute; empty: none
  std::filesystem::path state;            // absolute
  std::filesystem::path keeper_socket;    // value of STARLING_KEEPER
  std::filesystem::path module_socket;
  std::string boot_id;
  std::uint64_t seed = 0;
  std::filesystem::path root = "/";  // of /proc, /sys and /dev, where the board is looked at; else in tests
  Milliseconds watchdog = silence_of_a_hang;  // 0: the agent is not watched
};

class Supervisor final : public ModuleSupervision,
                         private KeeperListener,
                         private NotifyListener,
                         private SupervisorListener,
                         private ModuleRunner,
                         private TreePort {
 public:
  static constexpr Milliseconds board_round{30'000};
  static constexpr Milliseconds well_after{60'000};         // from the start until the keeper is told
  static constexpr std::size_t reported_bytes = 96 * 1024;  // of all modules, as far as it can be less

  Supervisor(const asio::any_io_executor& executor, const Clock& clock, Log& log, Disk& disk, Wakeup& wakeup,
             SupervisorOptions options);
  ~Supervisor() override;

  // Reads the modules that there are. Errors: those of find_modules, of making STATE/logs.
  Result<void> load(DeviceCore& device);
  // Attaches to the keeper; `ended` is called when it wants the agent to end and all modules have.
  Result<void> start(std::function<void()> ended);
  void shut_down(std::function<void()> done);  // all modules end
  asio::awaitable<void> stop();                // modules live on

  void tick();
  std::optional<SteadyTime> next_deadline() const;

  // ---- for whoever asks on the device
  // Errors in the answer: as ModulesSection::toggle and SupervisorCore::command.
  void command(std::string_view module, ModuleCommand command, Answered answered);
  // As it is enabled or not, whatever a command or a failed enable has made of it since. A module that has
  // done its work is left alone.
  void reconcile(std::string_view module, Answered answered);
  void act(std::string_view module, std::string action, JsonObject parameters, ModuleCore::Acted done);
  std::vector<ModuleStatus> statuses() const { return core_->statuses(); }
  const TransitionJournal& journal() const { return core_->journal(); }
  const WallTimes& wall_times() const { return wall_times_; }
  // Its folder may have come just now: who asks for it has copied all of it.
  void look_for(std::string_view module);
  bool has(std::string_view module) const override { return folders_.contains(module); }
  ModuleLog& log_of(std::string_view module) { return outputs_.log_of(module); }
  // By name: all modules, and what else has said hello as one, without the agent having started it.
  JsonObject descriptions() const;
  // Called after every change of a module's state, and when one is gone, while its log is still there; it may
  // stop observing, and call anything else later.
  using Observer = std::function<void()>;
  std::uint32_t observe(Observer observer);
  void stop_observing(std::uint32_t id) { observers_.erase(id); }

  // ModuleSupervision
  void add_to(JsonObject& report) const override;
  ModuleNames witnesses(std::span<const std::string> changed) const override;
  SettingsVerdict verdict() const override;
  std::map<std::string, Milliseconds> having_a_say() const override;
  void follow_log(const protocol::LogFollow& wish) override;
  void stop_log(std::string_view reader) override { readers_.stop(reader); }
  void stop_logs() override { readers_.stop_all(); }
  Result<void> check_peer(std::string_view module, std::int32_t pid) const override;
  void said_hello(std::string_view module) override;
  std::string why_not_connected(std::string_view module) const override;
  void said_state(std::string_view module, std::string_view state, std::string_view status) override;
  void said_wrongly(std::string_view module, std::int32_t pid, std::string_view why) override;

 private:
  struct Folder {  // of a module
    Digest manifest_text;
    std::string release;  // that it came with; empty: it is the device's own
    bool too_many = false;
    bool unfinished = false;                   // it came, and has had no module.toml that can be used
    bool of_release = false, shipped = false;  // what its config.txt says there
    std::string config_problem, render_problem;
    std::string note;  // of its manifest: a slip, or what cannot be kept here; no reason not to run it
    std::optional<ModuleManifest> manifest;  // the newest that can be used
    bool known_before = false;               // to an earlier agent
    SteadyTime ships_until{};                // what its config.txt says first until then is how it ships
  };

  // KeeperListener
  void attached(const KeeperGreeting& keeper, std::vector<KeptChild> children) override;
  void spawned(KeptChild child) override;
  void spawn_failed(const SpawnFailure& failure) override;
  void exited(std::string_view id, const ChildExit& exit) override;
  void signal_failed(std::string_view id, int error) override;
  void main_taken(std::string_view id, std::int32_t pid, std::uint64_t start_time) override;
  void main_refused(std::string_view id, std::int32_t pid, int error) override;
  void lost() override;
  void stop_asked() override;
  // NotifyListener
  void notified(std::string_view child_id, const NotifyMessage& message) override;
  void notified_wrongly(std::string_view child_id, std::string_view why) override;
  // SupervisorListener
  void modules_changed() override;
  void module_removed(std::string_view module) override;
  void module_came_up(std::string_view module) override;
  void module_died(std::string_view module, const DeathReport& report, bool unexpected) override;
  void enable_reverted(std::string_view module, std::string_view why, bool waited) override;
  void alert(const SupervisorAlert& alert) override;
  // ModuleRunner
  std::vector<std::string> names() const override;
  bool is_enabled(std::string_view module) const override;
  bool is_provisional(std::string_view module) const override;
  bool is_held_up(std::string_view module) const override { return core_->is_held_up(module); }
  bool is_ending(std::string_view module) const override { return core_->is_ending(module); }
  bool is_shipped_enabled(std::string_view module) const override;
  bool is_missing(std::string_view module) const override;
  void forget_missing(const std::string& module) override;
  bool is_quarantined(std::string_view module) const override { return core_->is_quarantined(module); }
  void command(std::vector<Commanded> commands) override;
  // TreePort: files are rendered before a process is made.
  Result<TreePlace> make(const ModuleManifest& manifest, std::string_view child_id) override;
  std::string unmet_limits(const ModuleManifest& manifest) const override {
    return trees_.unmet_limits(manifest);
  }
  void kill(std::string_view module) override { trees_.kill(module); }
  bool empty(std::string_view module) const override { return trees_.empty(module); }
  bool main_lives(std::string_view module) const override { return trees_.main_lives(module); }
  std::vector<std::string> left_over() const override { return trees_.left_over(); }

  void add(const FoundModule& found);
  void take_manifest(const FoundModule& found);
  std::vector<std::string> dependents_of(std::string_view module) const;
  void wake_quarantined(std::string_view came);
  bool of_release(std::string_view module) const;
  Result<std::vector<FoundModule>> find_all() const;
  void open_way(const FoundModule& found) const;
  void give_python(ModuleManifest& manifest) const;
  FoundModule look_at(std::string_view module) const;
  void folder_changed(std::string_view module);
  void folder_gone(const std::string& module);
  bool is_complete(const std::string& module) const;
  void look_into(const std::string& module);
  void take_in(const FoundModule& found);
  void files_changed(const FoundModule& found);
  void config_changed(const FoundModule& found, bool ships);
  void note_problem(std::string& noted, std::string problem);
  JsonObject describe(const ModuleStatus& status) const;
  void take(KeptChild& child);
  void tell_observers();
  void settings_changed(const SettingsChange& change);
  void tell_settings(const std::string& module, Folder& folder);
  void begin_trial();
  void judge_settings();
  void look_at_board();
  void end_alerts();
  std::uint32_t uid_of(std::string_view module) const;

  const Clock& clock_;
  Wakeup& wakeup_;
  SupervisorOptions options_;
  Logger log_;
  SteadyTime started_at_;
  WallTimes wall_times_;

  KeeperClient keeper_;
  ProcessTable table_;
  ProcessTrees trees_;
  ModuleOutputs outputs_;
  LogReaders readers_;
  NotifyReader notify_;
  MachineExaminer examiner_;
  SessionRecovery recovery_;
  ConfigTxtFiles config_files_;
  ConfigMirror mirror_;
  ModuleHistory history_;
  ModuleWatch watch_;
  ArrivingFolders arriving_;
  ResourceSampler sampler_;
  BoardWatch board_watch_;
  Environment environment_;
  std::unique_ptr<SupervisorCore> core_;
  DeviceCore* device_ = nullptr;
  std::function<void()> ended_;

  std::map<std::string, Folder, std::less<>> folders_;
  std::set<std::string, std::less<>> missing_;  // whose folders are gone, though they were enabled
  SettingsTrial trial_;
  bool begun_ = false;  // it is known what runs
  JsonObject board_;
  SteadyTime board_at_{};
  bool told_well_ = false;
  SteadyTime alive_at_{};  // the keeper is told so again
  OpenAlerts alerts_;
  std::map<std::uint32_t, Observer> observers_;
  std::uint32_t next_observer_ = 1;
};

}  // namespace starling::agent
