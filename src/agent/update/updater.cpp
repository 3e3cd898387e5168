#include "agent/update/updater.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/update/file_download.hpp"
#include "agent/update/module_health.hpp"
#include "agent/update/release_fetch.hpp"
#include "agent/update/release_shelf.hpp"
#include "agent/update/wished_fetcher.hpp"
#include "base/files.hpp"

namespace starling::agent {
struct Updater::Timers {
  explicit Timers(const asio::any_io_executor& executor)
      : alarm(executor), turns(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer alarm;  // of what waits for its time
  asio::steady_timer turns;  // never expires: cancelled when one has ended
};

// One at a time: what the client trusts is begun anew with each refresh.
class Updater::Turn {
 public:
  explicit Turn(Updater& updater) : updater_(updater) {}
  ~Turn() {
    updater_.busy_ = false;
    updater_.timers_->turns.cancel_one();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Updater& updater_;
};

namespace {

constexpr std::string_view trusted_root = "tuf/root.json";

http::Url below(http::Url hub, std::string_view folder) {
  hub.target = folder;
  return hub;
}

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
      encodings_(executor, below(options_.hub, "/tuf/encodings/"), options_.trust),
      environments_(executor, options_.state),
      client_(disk, std::string(metadata_folder), metadata_),
      hour_(disk, clock, options_.timezone, options_.built, log),
      timers_(std::make_unique<Timers>(executor)) {}

Updater::~Updater() = default;

void Updater::attach(UpdateCore& core, std::string device_id) {
  core_ = &core;
  hour_.device_is(std::move(device_id));
}

asio::awaitable<void> Updater::stop_all() {
  stop();
  co_await tasks_.stop();
}

void Updater::stop() {
  ++wish_;
  timers_->alarm.cancel();
  environments_.stop();
}

void Updater::hub_said(std::string_view fleet, WallTime time) {
  hour_.hub_said(time);
  const std::string query = fleet.empty() ? "" : "?fleet=" + http::percent_encode(fleet);
  metadata_.set_query(query);
  targets_.set_query(query);
  encodings_.set_query(query);
  hub_known_ = true;
  timers_->alarm.cancel();
}

Result<void> Updater::can_trust() const {
  const auto trusted = disk_.status(trusted_root);
  if (trusted || trusted.error().code != ErrorCode::not_found || !options_.root.empty()) return {};
  return fail(ErrorCode::failed_precondition,
              "no root of the fleet's releases is trusted: start the agent with --release-root");
}

void Updater::find(const std::string& version) {
  stop();
  tasks_.start("find", run_find(version, wish_));
}

void Updater::download(const ReleaseTarget& target, const DownloadWish& how) {
  stop();
  tasks_.start("download", run_download(target, how, wish_));
}

void Updater::make_environment(const Digest& release, const EnvironmentWish& wish) {
  stop();
  tasks_.start("environment", run_make_environment(release, wish, wish_));
}

InstallTiming::Answer Updater::ready_to_install(const ReleaseTarget& target, SteadyTime now) {
  Answer answer = hour_.ready_to_install(target, now);
  if (!answer.ask_again || now < looked_at_ + look_again) return answer;
  looked_at_ = now;
  tasks_.start("schedule", run_look_at_schedule(target, wish_));
  answer.ask_again = std::min<SteadyTime>(*answer.ask_again, now + look_again);
  return answer;
}

Result<void> Updater::can_install_packages() const {
  if (!options_.packages.empty()) return {};
  return fail(
      ErrorCode::failed_precondition,
      "the release needs Debian packages, which nobody installs here: take the Debian package "
      "starling-agent, whose unit has starling-install and --packages, or a release without packages");
}

std::string Updater::package_answer() const {
  return read_file(options_.packages / "answer.json", protocol::max_package_answer_bytes).value_or("");
}

bool Updater::runs_modules() const {
  return std::ranges::any_of(options_.modules(), &ModuleStatus::wanted);
}

std::vector<std::string> Updater::ready_modules() const {
  return ready_ones(options_.modules());
}

ReleaseVerdict Updater::trial(const std::vector<std::string>& were_ready) const {
  return judge_modules(options_.modules(), were_ready);
}

// ---- tasks

asio::awaitable<void> Updater::take_turn() {
  while (busy_)
    co_await timers_->turns.async_wait(asio::as_tuple(asio::use_awaitable));
  busy_ = true;
}

// Which repository is its own it knows from its hub.
asio::awaitable<bool> Updater::wait_for_hub(std::uint64_t wish) {
  constexpr Milliseconds longest{60'000};
  while (!hub_known_ && wish == wish_)
    co_await sleep(longest, wish);
  co_return wish == wish_;
}

asio::awaitable<bool> Updater::sleep(Milliseconds time, std::uint64_t wish) {
  timers_->alarm.expires_after(time);
  co_await timers_->alarm.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return wish == wish_;
}

// It is known when it may be fetched.
asio::awaitable<void> Updater::run_find(std::string version, std::uint64_t wish) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);  // never from within the call
  while (co_await wait_for_hub(wish)) {
    Result<ReleaseTarget> target = co_await look_up(version);
    if (wish != wish_) co_return;
    const std::optional<Wait> wait = target ? hour_.before_fetch(*target) : std::nullopt;
    if (!wait) {
      core_->found(version, std::move(target));
      wakeup_.deadlines_changed();
      co_return;
    }
    log_.info("a release is fetched later", {{"version", version}, {"why", to_string(wait->reason)}});
    const auto time = std::chrono::ceil<Milliseconds>(wait->look_again - clock_.steady());
    if (!co_await sleep(time, wish)) co_return;
  }
}

asio::awaitable<void> Updater::run_download(ReleaseTarget target, DownloadWish how, std::uint64_t wish) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  if (!co_await wait_for_hub(wish)) co_return;
  const Digest hash = target.release.hash;
  const Fetched fetched = co_await fetch(std::move(target), how, wish);
  if (wish != wish_) co_return;
  if (fetched.hindered_by.empty()) {
    core_->downloaded(hash, fetched.done);
  } else {
    core_->download_waits(hash, std::string(fetched.hindered_by), fetched.done.error().message);
  }
  wakeup_.deadlines_changed();
}

asio::awaitable<void> Updater::run_make_environment(Digest release, EnvironmentWish made_of,
                                                    std::uint64_t wish) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  if (wish != wish_) co_return;
  log_.info("making the Python environment of a release", {{"folder", made_of.folder}});
  const Result<void> made = co_await environments_.make(std::move(made_of));
  if (wish != wish_) co_return;
  core_->environment_made(release, made);
  wakeup_.deadlines_changed();
}

asio::awaitable<void> Updater::run_look_at_schedule(ReleaseTarget target, std::uint64_t wish) {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  if (!hub_known_ || wish != wish_) co_return;
  const std::string version = target.release.version;
  co_await take_turn();
  const Turn turn(*this);
  Result<void> read = co_await refresh();
  if (read) read = co_await read_schedule(std::move(target));
  if (!read) {
    log_.debug("the schedule of a release cannot be read",
               {{"version", version}, {"why", read.error().message}});
  }
  if (wish != wish_) co_return;
  core_->hour_changed();
  wakeup_.deadlines_changed();
}

asio::awaitable<Result<void>> Updater::refresh() {
  if (auto trusts = can_trust(); !trusts) co_return trusts;
  const auto trusted = disk_.status(trusted_root);
  if (!trusted && trusted.error().code != ErrorCode::not_found) co_return fail(trusted);
  if (!trusted) {
    const auto first = read_file(options_.root, protocol::tuf::max_root_bytes);
    if (!first) co_return fail(first, "--release-root");
    if (auto made = disk_.make_folder(metadata_folder); !made) co_return made;
    if (auto synced = disk_.sync_folder(""); !synced) co_return synced;
    if (auto begun = TufClient::trust(disk_, metadata_folder, *first); !begun) co_return begun;
  }
  co_return co_await client_.refresh(hour_.now());
}

// Where none is signed, the release says itself whether it is urgent.
asio::awaitable<Result<void>> Updater::read_schedule(ReleaseTarget target) {
  const std::string path = fmt::format("schedules/{}.json", target.release.version);
  const auto file = co_await client_.find(path);
  if (!file && file.error().code == ErrorCode::not_found) {
    hour_.follow_default(target);
    co_return Result<void>();
  }
  if (!file) co_return fail(file);
  if (file->length > static_cast<std::int64_t>(ReleaseHour::max_bytes)) {
    co_return fail(ErrorCode::too_large, path);
  }
  const std::string to(ReleaseHour::path);
  if (auto done = co_await client_.download(path, *file, targets_, disk_, to); !done) co_return done;
  const auto text = disk_.read_file(to, ReleaseHour::max_bytes);
  if (!text) co_return fail(text);
  auto policy = protocol::parse_timing_policy(*text);
  if (!policy) co_return fail(policy, path);
  if (policy->version != target.release.version) {
    co_return fail(ErrorCode::invalid_argument, fmt::format("{} is of {}", path, policy->version));
  }
  hour_.follow(std::move(*policy));
  co_return Result<void>();
}

asio::awaitable<Result<ReleaseTarget>> Updater::look_up(std::string version) {
  co_await take_turn();
  const Turn turn(*this);
  if (auto refreshed = co_await refresh(); !refreshed) co_return fail(refreshed);
  Result<ReleaseTarget> found = fail(ErrorCode::not_found, fmt::format("no release {} is signed", version));
  for (const std::string& architecture : {options_.architecture, std::string("all")}) {
    std::string path = fmt::format("releases/{}/{}.tar", version, architecture);
    const auto file = co_await client_.find(path);
    if (file) {
      Result<ReleaseTarget> target = target_from(*file, std::move(path), version, architecture);
      if (!target) co_return target;
      if (auto read = co_await read_schedule(*target); !read) co_return fail(read);
      looked_at_ = clock_.steady();
      co_return target;
    }
    if (file.error().code != ErrorCode::not_found) co_return fail(file);
  }
  co_return found;
}

asio::awaitable<Updater::Fetched> Updater::fetch(ReleaseTarget target, DownloadWish how, std::uint64_t wish) {
  targets_.set_limit(how.policy.bytes_per_second);
  encodings_.set_limit(how.policy.bytes_per_second);
  ReleaseFetch::Sleep sleep_for = [this, wish](Milliseconds time) { return sleep(time, wish); };
  ReleaseFetch release(disk_, encodings_, std::move(sleep_for), log_);
  const auto choice = co_await release.choose(target, how);
  if (wish != wish_) co_return Fetched{fail(ErrorCode::unavailable, "not wanted any more"), {}};
  if (!choice) co_return Fetched{fail(choice), {}};
  if (!choice->take) co_return Fetched{fail(ErrorCode::failed_precondition, choice->waits_for), metered};
  const Digest hash = target.release.hash;
  const protocol::EncodingOffer offer = *choice->take;
  const std::string to = download_path(hash, offer);
  if (auto dropped = drop_downloads(disk_, hash, to); !dropped) co_return Fetched{dropped, {}};
  const auto left = bytes_left(disk_, hash, offer);
  if (!left) co_return Fetched{fail(left), {}};
  if (auto room = core_->make_room(*left); !room)
    co_return Fetched{room, room.error().code == ErrorCode::unavailable ? "disk-full" : "disk"};
  log_.info("downloading a release",
            {{"version", target.release.version}, {"encoding", to_string(offer.encoding)}, {"bytes", *left}});
  Fetched fetched;
  if (offer.encoding == protocol::Encoding::plain) {
    fetched.done = co_await fetch_tar(std::move(target), wish);
    co_return fetched;
  }
  protocol::tuf::TargetFile file;
  file.length = static_cast<std::int64_t>(offer.length);
  file.hashes = {{HashAlgorithm::sha256, offer.hash.hex()}};
  WishedFetcher wished(encodings_, wish_, wish);
  std::string name = ReleaseFetch::name_of(target, offer);
  fetched.done = co_await download_file(wished, std::move(name), std::move(file), disk_, to);
  co_return fetched;
}

asio::awaitable<Result<void>> Updater::fetch_tar(ReleaseTarget target, std::uint64_t wish) {
  co_await take_turn();
  const Turn turn(*this);
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
