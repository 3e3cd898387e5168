// Purpose: fetches files of assets from the hub, with the device's token.
// Owner: Agent. Thread: the io_context's. Lifetime: stop_all() completes before destruction; what is passed
// in outlives it.
#pragma once

#include <functional>
#include <string>

#include "agent/assets/asset_core.hpp"
#include "agent/update/http_fetcher.hpp"
#include "agent/wakeup.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

class AssetDownloader final : public AssetFetch {
 public:
  AssetDownloader(const boost::asio::any_io_executor& executor, Disk& disk, Wakeup& wakeup,
                  const http::Url& hub, http::TlsTrust trust, Logger log);

  // Before the core may ask for anything.
  void attach(AssetCore& core, std::function<std::string()> token);
  boost::asio::awaitable<void> stop_all();

  void download(const std::string& path, const protocol::AssetFile& file,
                std::uint64_t bytes_per_second) override;
  void stop() override { ++wish_; }

 private:
  boost::asio::awaitable<void> run(std::string path, protocol::AssetFile file, std::uint64_t wish);

  Disk& disk_;
  Wakeup& wakeup_;
  TaskGroup tasks_;
  HttpFetcher fetcher_;
  AssetCore* core_ = nullptr;
  std::function<std::string()> token_;
  std::uint64_t wish_ = 0;  // whatever came before is not wanted any more
};

}  // namespace starling::agent
