// How a release comes onto the disk, in whatever form.
#include <fmt/format.h>

#include <algorithm>

#include "agent/update/release_shelf.hpp"
#include "agent/update/update_core.hpp"

namespace starling::agent {
namespace {

constexpr std::string_view disk_full = "disk-full";

// What is tried when that was damaged.
protocol::Encoding next_after(protocol::Encoding encoding) {
  return encoding == protocol::Encoding::delta ? protocol::Encoding::packed : protocol::Encoding::plain;
}

}  // namespace

std::optional<UpdateCore::Event> UpdateCore::download() {
  constexpr int most_downloads = 3;
  if (auto recorded = record(RecordedStep::downloading); !recorded) {
    return fails("disk", recorded.error().message, Event::hindered);
  }
  if (++downloads_ > most_downloads) {
    return fails("disk-alters-files", "what was downloaded is damaged each time it is read", Event::hindered);
  }
  const Digest& hash = record_.target->release.hash;
  const bool may_be_whole = downloads_ == 1;  // else it was looked at
  if (may_be_whole && disk_.status(release_path(hash))) return Event::downloaded;
  if (const auto there = find_download(disk_, hash); there && *there) return Event::downloaded;
  if (const auto room = make_room(0); !room) {
    const bool full = room.error().code == ErrorCode::unavailable;
    return fails(std::string(full ? disk_full : "disk"), room.error().message, Event::hindered);
  }
  auto made = disk_.make_folder(releases_folder);
  if (made) made = disk_.sync_folder("");
  if (!made) return fails("disk", made.error().message, Event::hindered);
  port_.download(*record_.target, download_wish());
  return std::nullopt;
}

DownloadWish UpdateCore::download_wish() const {
  DownloadWish wish;
  const auto& runs = settings_.release();
  // Where the target itself is mended: of what is damaged nothing can be made.
  if (runs && *runs != record_.target->release) wish.from = runs->hash;
  wish.first = record_.encoding;
  wish.policy = download_policy(settings_.values());
  return wish;
}

Result<void> UpdateCore::make_room(std::uint64_t bytes) {
  const std::uint64_t needed = bytes + record_.target->length + options_.reserve_bytes;
  std::uint64_t there = 0;
  for (const bool collected : {false, true}) {
    if (collected) collect();
    const auto free = disk_.free_bytes();
    if (!free) return fail(free);
    there = *free;
    if (there >= needed) return {};
  }
  return fail(ErrorCode::unavailable,
              fmt::format("the release takes {} bytes, of which {} are free", needed, there));
}

void UpdateCore::downloaded(const Digest& release, const Result<void>& result) {
  if (state_ != State::downloading || record_.target->release.hash != release) return;
  if (result) return step(Event::downloaded);
  const auto what = fmt::format("download:{}", to_string(result.error().code));
  step(*fails(what, result.error().message, Event::hindered));
}

void UpdateCore::download_waits(const Digest& release, std::string fingerprint, std::string why) {
  if (state_ != State::downloading || record_.target->release.hash != release) return;
  step(*fails(std::move(fingerprint), std::move(why), Event::hindered));
}

// What is on its way is looked at anew, so that no whole release goes on over a link that is metered now.
void UpdateCore::link_changed() {
  if (state_ == State::downloading) return step(Event::wanted);
  const bool waits = state_ == State::paused && record_.failure && record_.failure->fingerprint == metered;
  if (waits) deadline_ = clock_.steady();
}

std::optional<UpdateCore::Event> UpdateCore::install() {
  if (auto recorded = record(RecordedStep::installing); !recorded) {
    return fails("disk", recorded.error().message, Event::hindered);
  }
  // Where packages come first the Python environment, which may be made by one of them, waits for equip().
  install_.emplace(disk_, *record_.target, !needs_packages());
  deadline_ = clock_.steady();
  return std::nullopt;
}

std::optional<UpdateCore::Event> UpdateCore::equip() {
  if (!needs_packages()) return Event::unpacked;
  install_.emplace(disk_, *record_.target);
  deadline_ = clock_.steady();
  return std::nullopt;
}

void UpdateCore::install_some() {
  const auto progress = install_->step();
  if (progress && *progress == Progress::more) {
    const auto wish = install_->environment_to_make();
    if (!wish) return;
    deadline_.reset();
    return port_.make_environment(record_.target->release.hash, *wish);
  }
  const auto damaged = install_->damaged();
  install_.reset();
  if (progress) {
    auto& unpacked = record_.unpacked;
    std::erase(unpacked, record_.target->release.hash);
    unpacked.insert(unpacked.begin(), record_.target->release.hash);
    if (unpacked.size() > UpdateRecord::kept_unpacked) unpacked.pop_back();
    return step(Event::unpacked);
  }
  const Error& error = progress.error();
  if (error.code == ErrorCode::not_found) {
    log_.warning("a release has to be downloaded again", {{"why", error.message}});
    if (damaged) record_.encoding = std::max(record_.encoding, next_after(*damaged));
    return step(Event::missing);
  }
  const bool bad = error.code == ErrorCode::invalid_argument || error.code == ErrorCode::too_large;
  step(*fails(bad                                    ? "bad-release"
              : error.code == ErrorCode::unavailable ? std::string(disk_full)
                                                     : "disk",
              error.message, bad ? Event::refused : Event::hindered));
}

void UpdateCore::environment_made(const Digest& release, const Result<void>& result) {
  const bool installs = state_ == State::installing || state_ == State::equipping;
  const bool waits = installs && install_ && install_->environment_to_make();
  if (!waits || record_.target->release.hash != release) return;
  if (result) {
    install_->environment_made();
    deadline_ = clock_.steady();
    return;
  }
  const auto free = disk_.free_bytes();  // now: it is removed
  install_->give_up();
  install_.reset();
  const bool full = free && *free < options_.reserve_bytes;
  const bool bad = result.error().code == ErrorCode::invalid_argument && !full;
  step(*fails(full ? std::string(disk_full) : "requirements", result.error().message,
              bad ? Event::refused : Event::hindered));
}

}  // namespace starling::agent
