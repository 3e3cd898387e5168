#include "agent/assets/asset_downloader.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/update/file_download.hpp"
#include "agent/update/wished_fetcher.hpp"

namespace starling::agent {

namespace asio = boost::asio;

namespace {

http::Url files_of(http::Url hub) {
  hub.target = "/api/v1/asset-files/";
  return hub;
}

}  // namespace

AssetDownloader::AssetDownloader(const asio::any_io_executor& executor, Disk& disk, Wakeup& wakeup,
                                 const http::Url& hub, http::TlsTrust trust, Logger log)
    : disk_(disk),
      wakeup_(wakeup),
      tasks_(executor, log),
      fetcher_(executor, files_of(hub), std::move(trust)) {}

void AssetDownloader::attach(AssetCore& core, std::function<std::string()> token) {
  core_ = &core;
  token_ = std::move(token);
}

asio::awaitable<void> AssetDownloader::stop_all() {
  stop();
  co_await tasks_.stop();
}

void AssetDownloader::download(const std::string& path, const protocol::AssetFile& file,
                               std::uint64_t bytes_per_second) {
  stop();
  fetcher_.set_limit(bytes_per_second);
  tasks_.start("asset", run(path, file, wish_));
}

asio::awaitable<void> AssetDownloader::run(std::string path, protocol::AssetFile file, std::uint64_t wish) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);  // never from within the call
  if (wish != wish_) co_return;
  protocol::tuf::TargetFile expected;
  expected.length = static_cast<std::int64_t>(file.size);
  expected.hashes = {{HashAlgorithm::sha256, file.sha256.hex()}};
  fetcher_.set_token(token_());
  WishedFetcher wished(fetcher_, wish_, wish);
  const Result<void> done =
      co_await download_file(wished, file.sha256.hex(), std::move(expected), disk_, path);
  if (wish != wish_) co_return;
  core_->downloaded(path, done);
  wakeup_.deadlines_changed();
}

}  // namespace starling::agent
