#include "agent/update/release_install.hpp"

#include <utility>

namespace starling::agent {

Result<Progress> ReleaseInstall::step() {
  auto progress = take_step();
  if (progress) return progress;
  const bool damage = progress.error().code == ErrorCode::corrupted;
  if (stage_ != Stage::look && stage_ != Stage::check) give_up();
  if (stage_ == Stage::unpack && damage) {
    damaged_ = download_.encoding;
    (void)drop(download_.path);
    return fail(ErrorCode::not_found, progress.error().message);
  }
  if (stage_ == Stage::check && damage) return mend(progress.error().message);
  return progress;
}

// What runs may be what is damaged: it stays until there is better.
Result<Progress> ReleaseInstall::mend(const std::string& damage) {
  if (!std::exchange(found_, false)) {
    if (auto dropped = drop(folder()); !dropped) return fail(dropped);
    return fail(ErrorCode::io, "the disk does not keep what is written: " + damage);
  }
  if (auto begun = begin_unpacking(); !begun) {
    return begun.error().code == ErrorCode::not_found ? fail(ErrorCode::not_found, damage) : fail(begun);
  }
  return Progress::more;
}

Result<Progress> ReleaseInstall::take_step() {
  Result<void> done;
  switch (stage_) {
    case Stage::look: done = look(); break;
    case Stage::unpack: done = unpack(); break;
    case Stage::sync: {
      const auto synced = unpacker_->sync();
      if (!synced) return fail(synced);
      if (*synced == Progress::done) {
        stage_ = Stage::name;
        done = equip();
      }
      break;
    }
    case Stage::equip: break;
    case Stage::settle_in: return settle_in();
    case Stage::name:
      done = name();
      if (done) begin_check();
      break;
    case Stage::check: {
      const auto checked = check_->step();
      if (!checked || *checked == Progress::more) return checked;
      done = drop_downloads(disk_, target_.release.hash);
      if (done && found_) done = equip();
      if (done && stage_ == Stage::check) return Progress::done;
      break;
    }
  }
  if (!done) return fail(done);
  return Progress::more;
}

Result<void> ReleaseInstall::look() {
  const auto present = disk_.status(folder());
  found_ = present.has_value();
  if (found_) return begin_check(), Result<void>();
  if (present.error().code != ErrorCode::not_found) return fail(present);
  return begin_unpacking();
}

Result<void> ReleaseInstall::begin_unpacking() {
  auto download = find_download(disk_, target_.release.hash);
  if (!download) return fail(download);
  if (!*download) return fail(ErrorCode::not_found, "the release is not downloaded");
  download_ = std::move(**download);
  source_.reset();
  unpacker_.emplace(disk_, fresh(), target_);
  stage_ = Stage::unpack;
  return unpacker_->start();
}

Result<void> ReleaseInstall::unpack() {
  if (!source_) {
    auto source = open_tar_source(disk_, download_, target_);
    if (!source) return fail(source);
    source_ = std::move(*source);
  }
  const auto bytes = source_->next();
  if (!bytes) return fail(bytes);
  if (!bytes->empty()) return unpacker_->feed(*bytes);
  source_.reset();
  if (auto finished = unpacker_->finish(); !finished) return finished;
  stage_ = Stage::sync;
  return {};
}

// Before it has its name; or where it has it since before, unless it is done.
Result<void> ReleaseInstall::equip() {
  if (!equips_) return {};
  auto wanted = environment_wanted(disk_, found_ ? folder() : fresh());
  if (!wanted) return fail(wanted);
  if (!*wanted) return {};
  environment_ = std::move(*wanted);
  if (found_) {
    const auto there = disk_.status(environment());
    if (there) return {};
    if (there.error().code != ErrorCode::not_found) return fail(there);
    if (auto dropped = drop(late_environment()); !dropped) return dropped;
    environment_->folder = late_environment();
  }
  stage_ = Stage::equip;
  return {};
}

Result<Progress> ReleaseInstall::settle_in() {
  if (auto moved = move_environment(disk_, environment_->folder, environment()); !moved) return fail(moved);
  if (!found_) {
    stage_ = Stage::name;
    return Progress::more;
  }
  if (auto named = disk_.rename(late_environment(), environment()); !named) return fail(named);
  if (auto synced = disk_.sync_folder(folder()); !synced) return fail(synced);
  return Progress::done;
}

// A damaged one, which may run, is put aside until the fresh one has its name.
Result<void> ReleaseInstall::name() {
  const auto damaged = disk_.status(folder());
  if (!damaged && damaged.error().code != ErrorCode::not_found) return fail(damaged);
  if (damaged) {
    if (auto dropped = drop(old()); !dropped) return dropped;
    if (auto aside = disk_.rename(folder(), old()); !aside) return aside;
  }
  if (auto named = disk_.rename(fresh(), folder()); !named) {
    if (damaged) (void)disk_.rename(old(), folder());
    return named;
  }
  if (auto synced = disk_.sync_folder(releases_folder); !synced) return synced;
  return drop(old());
}

void ReleaseInstall::begin_check() {
  stage_ = Stage::check;
  check_.emplace(disk_, folder());
}

Result<void> ReleaseInstall::drop(const std::string& path) {
  if (auto removed = disk_.remove_tree(path); !removed) return removed;
  return disk_.sync_folder(releases_folder);
}

}  // namespace starling::agent
