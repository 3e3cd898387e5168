// Purpose: carries out what the update core wants on real sockets: finds releases in the hub's TUF repository
// and downloads them, each at the hour that is signed for it. Owner: Agent. Thread: the io_context's,
// blocking on the disk in small pieces. Lifetime: stop() completes before destruction; what is passed in
// outlives it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/supervisor/module_status.hpp"
#include "agent/update/environment_maker.hpp"
#include "agent/update/http_fetcher.hpp"
#include "agent/update/release_hour.hpp"
#include "agent/update/tuf_client.hpp"
#include "agent/update/update_core.hpp"
#include "agent/wakeup.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

struct UpdaterOptions {
  http::Url hub;
  http::TlsTrust trust;
  std::filesystem::path root;      // the first root that is trusted; empty: there is one, or none yet
  std::filesystem::path packages;  // where starling-install answers; empty: there is none here
  std::string architecture;        // "arm64"
  std::string timezone;            // of the device
  std::filesystem::path state;
  WallTime built = build_day();
  std::function<void()> restart;  // of the agent, soon
  std::function<std::vector<ModuleStatus>()> modules;
};

class Updater final : public UpdatePort, public InstallTiming {
 public:
  static constexpr std::string_view metadata_folder = "tuf";
  // While a release waits for its hour, which may become another one.
  static constexpr std::chrono::minutes look_again{5};

  Updater(const asio::any_io_executor& executor, Disk& disk, const Clock& clock, Wakeup& wakeup,
          UpdaterOptions options, Logger log);
  ~Updater() override;

  // Before the core may ask for anything.
  void attach(UpdateCore& core, std::string device_id);
  asio::awaitable<void> stop_all();
  void modules_changed() {
    hour_.modules_are(options_.modules());
    core_->modules_changed();
  }

  Result<void> can_trust() const override;
  void find(const std::string& version) override;
  void download(const ReleaseTarget& target, const DownloadWish& how) override;
  void make_environment(const Digest& release, const EnvironmentWish& wish) override;
  void stop() override;
  void hub_said(std::string_view fleet, WallTime time) override;
  void restart() override { options_.restart(); }
  Result<void> can_install_packages() const override;
  std::string package_answer() const override;
  bool runs_modules() const override;
  std::vector<std::string> ready_modules() const override;
  ReleaseVerdict trial(const std::vector<std::string>& were_ready) const override;
  Answer ready_to_install(const ReleaseTarget& target, SteadyTime now) override;

 private:
  struct Timers;
  class Turn;  // of those that use the client

  asio::awaitable<void> run_find(std::string version, std::uint64_t wish);
  asio::awaitable<void> run_download(ReleaseTarget target, DownloadWish how, std::uint64_t wish);
  asio::awaitable<void> run_make_environment(Digest release, EnvironmentWish made_of, std::uint64_t wish);
  asio::awaitable<void> run_look_at_schedule(ReleaseTarget target, std::uint64_t wish);
  asio::awaitable<void> take_turn();
  asio::awaitable<bool> wait_for_hub(std::uint64_t wish);  // false: it is not wanted any more
  asio::awaitable<bool> sleep(Milliseconds time, std::uint64_t wish);
  asio::awaitable<Result<void>> refresh();
  asio::awaitable<Result<void>> read_schedule(ReleaseTarget target);
  asio::awaitable<Result<ReleaseTarget>> look_up(std::string version);
  struct Fetched {
    Result<void> done;
    std::string_view hindered_by;  // a fingerprint, if it is none of an error of the download itself
  };
  asio::awaitable<Fetched> fetch(ReleaseTarget target, DownloadWish how, std::uint64_t wish);
  asio::awaitable<Result<void>> fetch_tar(ReleaseTarget target, std::uint64_t wish);

  Disk& disk_;
  const Clock& clock_;
  Wakeup& wakeup_;
  UpdaterOptions options_;
  Logger log_;
  TaskGroup tasks_;
  HttpFetcher metadata_, targets_, encodings_;
  EnvironmentMaker environments_;
  TufClient client_;
  ReleaseHour hour_;
  std::unique_ptr<Timers> timers_;
  bool busy_ = false;  // the client is
  bool hub_known_ = false;
  SteadyTime looked_at_{};  // the schedule
  UpdateCore* core_ = nullptr;
  std::uint64_t wish_ = 0;  // whatever came before is not wanted any more
};

// What a release's tar is called for this machine, as Debian calls it; empty: there is none.
std::string_view machine_architecture();

}  // namespace starling::agent
