#include "agent/update/release_install.hpp"

#include <fmt/format.h>

namespace starling::agent {
namespace {

using release::Entry;

constexpr std::size_t bytes_at_once = 256u << 10;
constexpr int entries_at_once = 64;

std::unexpected<Error> altered(const std::string& path) {
  return fail(ErrorCode::corrupted, fmt::format("{} is not as it was unpacked", path));
}

Disk::Status::Kind kind_of(const Entry& entry) {
  switch (entry.kind) {
    case Entry::Kind::file: return Disk::Status::Kind::file;
    case Entry::Kind::folder: return Disk::Status::Kind::folder;
    case Entry::Kind::link: return Disk::Status::Kind::link;
  }
  return Disk::Status::Kind::other;
}

}  // namespace

Result<Progress> ReleaseInstall::step() {
  auto progress = take_step();
  if (progress) return progress;
  const bool damage = progress.error().code == ErrorCode::corrupted;
  if (stage_ == Stage::unpack || stage_ == Stage::sync) (void)drop(fresh());
  if (stage_ == Stage::unpack && damage) {
    damaged_ = download_.encoding;
    (void)drop(download_.path);
    return fail(ErrorCode::not_found, progress.error().message);
  }
  if (stage_ == Stage::check && damage) {
    if (auto dropped = drop(folder()); !dropped) return fail(dropped);
    if (!found_)
      return fail(ErrorCode::io, "the disk does not keep what is written: " + progress.error().message);
    stage_ = Stage::look;  // unpacked once more, if the tar is there
    return Progress::more;
  }
  return progress;
}

Result<Progress> ReleaseInstall::take_step() {
  Result<void> done;
  switch (stage_) {
    case Stage::look: done = look(); break;
    case Stage::unpack: done = unpack(); break;
    case Stage::sync: {
      const auto synced = unpacker_->sync();
      if (!synced) return fail(synced);
      if (*synced == Progress::done) stage_ = Stage::name;
      break;
    }
    case Stage::name:
      done = disk_.rename(fresh(), folder());
      if (done) done = disk_.sync_folder(releases_folder);
      if (done) done = begin_check();
      break;
    case Stage::check: return check();
  }
  if (!done) return fail(done);
  return Progress::more;
}

Result<void> ReleaseInstall::look() {
  const auto present = disk_.status(folder());
  found_ = present.has_value();
  if (found_) return begin_check();
  if (present.error().code != ErrorCode::not_found) return fail(present);
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

Result<void> ReleaseInstall::begin_check() {
  stage_ = Stage::check;
  const auto text = disk_.read_file(folder() + "/" + std::string(release_list_name), max_release_list_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return altered(folder());
  if (!text) return fail(text);
  auto list = parse_release_list(*text);
  if (!list) return fail(list);
  list_ = std::move(*list);
  checked_ = 0;
  hasher_.reset();
  return {};
}

Result<Progress> ReleaseInstall::check() {
  for (int i = 0; i < entries_at_once; ++i) {
    if (checked_ == list_.size()) return checked();
    if (auto good = check_entry(list_[checked_]); !good) return fail(good);
    if (hasher_) break;  // within a large file
  }
  return Progress::more;
}

// Of a file, one part; the entry is done if no hasher is left.
Result<void> ReleaseInstall::check_entry(const ListedEntry& listed) {
  const Entry& entry = listed.entry;
  const std::string path = folder() + "/" + entry.path;
  if (!hasher_) {
    const auto status = disk_.status(path);
    if (!status && status.error().code == ErrorCode::not_found) return altered(path);
    if (!status) return fail(status);
    if (status->kind != kind_of(entry)) return altered(path);
    if (entry.kind == Entry::Kind::link) {
      const auto target = disk_.read_link(path);
      if (!target) return fail(target);
      if (*target != entry.target) return altered(path);
    }
    if (entry.kind != Entry::Kind::file) return ++checked_, Result<void>();
    if (status->size != entry.size || status->mode != mode_of(entry)) return altered(path);
    hasher_.emplace(HashAlgorithm::sha256);
    offset_ = 0;
  }
  const auto part = disk_.read_part(path, offset_, bytes_at_once);
  if (!part) return fail(part);
  hasher_->update(*part);
  offset_ += part->size();
  if (part->size() == bytes_at_once) return {};
  const bool same = hasher_->finish() == listed.hash.hex();
  hasher_.reset();
  ++checked_;
  return same ? Result<void>() : altered(path);
}

Result<Progress> ReleaseInstall::checked() {
  if (auto dropped = drop_downloads(disk_, target_.release.hash); !dropped) return fail(dropped);
  return Progress::done;
}

Result<void> ReleaseInstall::drop(const std::string& path) {
  if (auto removed = disk_.remove_tree(path); !removed) return removed;
  return disk_.sync_folder(releases_folder);
}

}  // namespace starling::agent
