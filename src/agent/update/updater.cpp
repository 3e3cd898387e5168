#include "agent/update/updater.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/update/module_health.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

http::Url below(http::Url hub, std::string_view folder) {
  hub.target = folder;
  return hub;
}

// Ends the transfer of what is not wanted any more.
class WishedFetcher final : public Fetcher {
 public:
  WishedFetcher(Fetcher& fetcher, const std::uint64_t& now, std::uint64_t wish)
      : fetcher_(fetcher), now_(now), wish_(wish) {}
  asio::awaitable<Result<std::string>> fetch(std::string path, std::size_t max_bytes) override {
    return fetcher_.fetch(std::move(path), max_bytes);
  }
  asio::awaitable<Result<void>> stream(std::string path, std::uint64_t first, std::uint64_t max_bytes,
                                       Sink sink) override {
    Sink wished = [this, sink = std::move(sink)](std::string_view part) -> Result<void> {
      if (now_ != wish_) return fail(ErrorCode::unavailable, "not wanted any more");
      return sink(part);
    };
    return fetcher_.stream(std::move(path), first, max_bytes, std::move(wished));
  }

 private:
  Fetcher& fetcher_;
  const std::uint64_t& now_;
  std::uint64_t wish_;
};

Result<ReleaseTarget> target_from(const protocol::tuf::TargetFile& file, std::string path,
                                  const std::string& version, std::string architecture) {
  ReleaseTarget target;
  const auto hash = std::ranges::find(file.hashes, HashAlgorithm::sha256, &protocol::tuf::Hash::algorithm);
  if (hash == file.hashes.end()) {
    return fail(ErrorCode::failed_precondition, fmt::format("{} has no SHA-256", path));
  }
  const auto digest = Digest::from_hex(hash->hex);
  if (!digest) return fail(digest, path);
  auto signed_version = JsonReader(file.custom).optional_string("version");
  if (!signed_version) return fail(signed_version, path);
  target.release = {signed_version->value_or(version), *digest};
  target.architecture = std::move(architecture);
  target.path = std::move(path);
  target.length = static_cast<std::uint64_t>(file.length);
  target.custom = file.custom;
  return target;
}

}  // namespace

std::string_view machine_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#elif defined(__arm__)
  return "armhf";
#else
  return "";
#endif
}

Updater::Updater(const asio::any_io_executor& executor, Disk& disk, const Clock& clock, Wakeup& wakeup,
                 UpdaterOptions options, Logger log)
    : disk_(disk),
      clock_(clock),
      wakeup_(wakeup),
      options_(std::move(options)),
      log_(log),
      tasks_(executor, log),
      metadata_(executor, below(options_.hub, "/tuf/metadata/"), options_.trust),
      targets_(executor, below(options_.hub, "/tuf/targets/"), options_.trust),
      client_(disk, std::string(metadata_folder), metadata_) {}

asio::awaitable<void> Updater::stop_all() {
  ++wish_;
  co_await tasks_.stop();
}

void Updater::find(const std::string& version) {
  tasks_.start("find", run_find(version, ++wish_));
}

void Updater::download(const ReleaseTarget& target) {
  tasks_.start("download", run_download(target, ++wish_));
}

std::vector<std::string> Updater::ready_modules() const {
  return ready_ones(options_.modules());
}

SettingsVerdict Updater::trial(const std::vector<std::string>& were_ready) const {
  return judge_modules(options_.modules(), were_ready);
}

asio::awaitable<void> Updater::run_find(std::string version, std::uint64_t wish) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);  // never from within the call
  Result<ReleaseTarget> target = co_await look_up(version);
  if (wish != wish_) co_return;
  core_->found(version, std::move(target));
  wakeup_.deadlines_changed();
}

asio::awaitable<void> Updater::run_download(ReleaseTarget target, std::uint64_t wish) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  const Digest hash = target.release.hash;
  const Result<void> done = co_await fetch(std::move(target), wish);
  if (wish != wish_) co_return;
  core_->downloaded(hash, done);
  wakeup_.deadlines_changed();
}

asio::awaitable<Result<void>> Updater::refresh() {
  const std::string root = std::string(metadata_folder) + "/root.json";
  const auto trusted = disk_.status(root);
  if (!trusted && trusted.error().code != ErrorCode::not_found) co_return fail(trusted);
  if (!trusted) {
    if (options_.root.empty()) {
      co_return fail(ErrorCode::failed_precondition,
                     "no root of the fleet's releases is trusted: start the agent with --release-root");
    }
    const auto first = read_file(options_.root, protocol::tuf::max_root_bytes);
    if (!first) co_return fail(first, "--release-root");
    if (auto made = disk_.make_folder(metadata_folder); !made) co_return made;
    if (auto synced = disk_.sync_folder(""); !synced) co_return synced;
    if (auto begun = TufClient::trust(disk_, metadata_folder, *first); !begun) co_return begun;
  }
  co_return co_await client_.refresh(clock_.wall());
}

asio::awaitable<Result<ReleaseTarget>> Updater::look_up(std::string version) {
  if (auto refreshed = co_await refresh(); !refreshed) co_return fail(refreshed);
  Result<ReleaseTarget> found = fail(ErrorCode::not_found, fmt::format("no release {} is signed", version));
  for (const std::string& architecture : {options_.architecture, std::string("all")}) {
    std::string path = fmt::format("releases/{}/{}.tar", version, architecture);
    const auto file = co_await client_.find(path);
    if (file) co_return target_from(*file, std::move(path), version, architecture);
    if (file.error().code != ErrorCode::not_found) co_return fail(file);
  }
  co_return found;
}

asio::awaitable<Result<void>> Updater::fetch(ReleaseTarget target, std::uint64_t wish) {
  protocol::tuf::TargetFile file;
  file.length = static_cast<std::int64_t>(target.length);
  file.hashes = {{HashAlgorithm::sha256, target.release.hash.hex()}};
  WishedFetcher wished(targets_, wish_, wish);
  const std::string to = release_tar_path(target.release.hash);
  Result<void> done = co_await client_.download(target.path, file, wished, disk_, to);
  if (done || done.error().code != ErrorCode::failed_precondition) co_return done;
  // After a restart it is known what to download, and not yet what is signed now.
  if (auto refreshed = co_await refresh(); !refreshed) co_return refreshed;
  co_return co_await client_.download(target.path, file, wished, disk_, to);
}

}  // namespace starling::agent
