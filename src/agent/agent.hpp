// Purpose: the agent of one device on a real machine: its core with real disk, sockets and clock.
// Owner: main(). Thread: the io_context's. Lifetime: stop() completes before destruction.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/assets/asset_downloader.hpp"
#include "agent/board.hpp"
#include "agent/components.hpp"
#include "agent/control/control_server.hpp"
#include "agent/device_core.hpp"
#include "agent/factory_reset.hpp"
#include "agent/hub_link/link_driver.hpp"
#include "agent/modules/module_server.hpp"
#include "agent/override_watch.hpp"
#include "agent/posix_disk.hpp"
#include "agent/supervisor/module_actions.hpp"
#include "agent/supervisor/supervisor.hpp"
#include "agent/update/updater.hpp"
#include "base/files.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

struct AgentOptions {
  std::filesystem::path state;
  std::filesystem::path components;  // the folder of those that ship with the agent
  http::Url hub;
  std::vector<std::string> pins;
  std::string enrolment_key;  // empty: only a device that has enrolled can connect
  std::string name;
  std::string timezone;
  JsonObject labels;
  std::filesystem::path modules;        // folder of modules; empty: none are run
  std::filesystem::path keeper_socket;  // with `modules`
  std::filesystem::path release_root;   // the first root.json by which releases are trusted; empty: none
  std::filesystem::path packages;       // where starling-install answers; empty: there is none
  SettingsOptions settings;
  Milliseconds release_trial{60'000};
  Milliseconds first_backoff{1'000};
  Milliseconds watchdog = silence_of_a_hang;  // of the keeper, with `modules`; 0: none
};

class Agent final : private Wakeup {
 public:
  // Locks the state folder and loads what is in it; the modules' socket listens when it returns.
  // Errors: failed_precondition (another agent has the folder, or the keeper is missing that modules need),
  // those of Identity, SettingsCore, components, find_modules.
  static Result<std::unique_ptr<Agent>> load(const asio::any_io_executor& executor, const Clock& clock,
                                             Log& log, AgentOptions options, const Board& board);
  ~Agent() override;

  // `ended` is called when modules and agent shall end, because the keeper does or for a new start, and the
  // modules have. Errors: those of the keeper's and the control socket.
  enum class End { for_good, for_a_new_start };
  Result<void> start(std::function<void(End)> ended);
  asio::awaitable<void> stop();  // modules run on

  const DeviceCore& core() const { return *core_; }

 private:
  Agent(const asio::any_io_executor& executor, const Clock& clock, Log& log, FileLock lock,
        AgentOptions options, Components components, const Board& board);
  Result<void> load_core(const Board& board);
  void make_supervisor(const asio::any_io_executor& executor, const Board& board);
  void end_modules_of_another(const std::filesystem::path& release_modules);
  ActionRunners action_runners();
  void restart();
  void begin_anew();  // with the release that the generation names; modules run on, unless it brings some
  asio::awaitable<void> end_for_a_new_start();
  UpdaterOptions updater_options();
  void follow_log_level();
  void follow_link_policy();
  void deadlines_changed() override;
  asio::awaitable<void> run_clock();

  struct Timer;
  const Clock& clock_;
  Log& log_;
  FileLock lock_;
  AgentOptions options_;
  Components components_;
  PosixDisk disk_;
  RandomIdentityMaker identity_maker_;
  TaskGroup tasks_;
  std::unique_ptr<Timer> timer_;
  LinkDriver link_driver_;
  ModuleServer module_server_;
  std::unique_ptr<Supervisor> supervisor_;  // nullptr: without modules
  std::unique_ptr<ControlServer> control_server_;
  std::unique_ptr<ModuleCommandRunner> module_command_;
  std::unique_ptr<CollectLogsRunner> collect_logs_;
  FactoryResetRunner factory_reset_;
  Updater updater_;
  AssetDownloader asset_downloader_;
  std::function<void(End)> ended_;
  std::unique_ptr<DeviceCore> core_;
  OverrideWatch override_watch_;
  bool stopping_ = false;
  bool new_start_wanted_ = false;  // before there was anybody to tell
};

}  // namespace starling::agent
