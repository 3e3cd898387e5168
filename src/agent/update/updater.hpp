// Purpose: carries out what the update core wants on real sockets: finds releases in the hub's TUF repository
// and downloads them. Owner: Agent. Thread: the io_context's, blocking on the disk in small pieces.
// Lifetime: stop() completes before destruction; what is passed in outlives it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "agent/supervisor/module_status.hpp"
#include "agent/update/http_fetcher.hpp"
#include "agent/update/tuf_client.hpp"
#include "agent/update/update_core.hpp"
#include "agent/wakeup.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

struct UpdaterOptions {
  http::Url hub;
  http::TlsTrust trust;
  std::filesystem::path root;     // the first root that is trusted; empty: there is one, or none yet
  std::string architecture;       // "arm64"
  std::function<void()> restart;  // of the agent, soon
  std::function<std::vector<ModuleStatus>()> modules;
};

class Updater final : public UpdatePort {
 public:
  static constexpr std::string_view metadata_folder = "tuf";

  Updater(const asio::any_io_executor& executor, Disk& disk, const Clock& clock, Wakeup& wakeup,
          UpdaterOptions options, Logger log);

  // Before the core may ask for anything.
  void attach(UpdateCore& core) { core_ = &core; }
  asio::awaitable<void> stop_all();

  void find(const std::string& version) override;
  void download(const ReleaseTarget& target) override;
  void stop() override { ++wish_; }
  void restart() override { options_.restart(); }
  std::vector<std::string> ready_modules() const override;
  SettingsVerdict trial(const std::vector<std::string>& were_ready) const override;

 private:
  asio::awaitable<void> run_find(std::string version, std::uint64_t wish);
  asio::awaitable<void> run_download(ReleaseTarget target, std::uint64_t wish);
  asio::awaitable<Result<void>> refresh();
  asio::awaitable<Result<ReleaseTarget>> look_up(std::string version);
  asio::awaitable<Result<void>> fetch(ReleaseTarget target, std::uint64_t wish);

  Disk& disk_;
  const Clock& clock_;
  Wakeup& wakeup_;
  UpdaterOptions options_;
  Logger log_;
  TaskGroup tasks_;
  HttpFetcher metadata_, targets_;
  TufClient client_;
  UpdateCore* core_ = nullptr;
  std::uint64_t wish_ = 0;  // whatever came before is not wanted any more
};

// What a release's tar is called for this machine, as Debian calls it; empty: there is none.
std::string_view machine_architecture();

}  // namespace starling::agent
