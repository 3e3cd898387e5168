#include "agent/update/partial_file.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace starling::agent {
namespace {

// So much is downloaded again after a power cut, at most.
constexpr std::uint64_t sync_after_bytes = 4u << 20;

std::vector<Hasher> hashers_for(const protocol::tuf::Hashes& hashes) {
  std::vector<Hasher> hashers;
  for (const protocol::tuf::Hash& hash : hashes)
    hashers.emplace_back(hash.algorithm);
  return hashers;
}

void update(std::vector<Hasher>& hashers, std::string_view bytes) {
  for (Hasher& hasher : hashers)
    hasher.update(bytes);
}

bool match(std::vector<Hasher>& hashers, const protocol::tuf::Hashes& hashes) {
  return std::equal(
      hashers.begin(), hashers.end(), hashes.begin(), hashes.end(),
      [](Hasher& hasher, const protocol::tuf::Hash& hash) { return hasher.finish() == hash.hex; });
}

}  // namespace

PartialFile::PartialFile(Disk& disk, std::string path, protocol::tuf::TargetFile expected)
    : disk_(&disk),
      path_(std::move(path)),
      expected_(std::move(expected)),
      hashers_(hashers_for(expected_.hashes)) {}

Result<PartialFile> PartialFile::open(Disk& disk, std::string path, protocol::tuf::TargetFile expected) {
  if (expected.hashes.empty()) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("{} has no hash by sha256 or sha512 that could be checked", path));
  }
  PartialFile file(disk, std::move(path), std::move(expected));
  if (auto looked = file.look_at_part(); !looked) return fail(looked);
  return file;
}

// Never written through what is there unless it is a file: it may be a link to elsewhere.
Result<void> PartialFile::look_at_part() {
  const auto status = disk_->status(part());
  if (!status && status.error().code != ErrorCode::not_found) return fail(status);
  if (status && (status->kind != Disk::Status::Kind::file || status->size > length())) return remove();
  kept_ = status ? status->size : 0;
  resumed_ = kept_ > 0;
  return status ? Result<void>() : disk_->append(part(), "", 0644);
}

Result<Progress> PartialFile::catch_up() {
  if (size_ == kept_) return Progress::done;
  const std::size_t most = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_at_once, kept_ - size_));
  const auto bytes = disk_->read_part(part(), size_, most);
  if (!bytes) return fail(bytes);
  if (bytes->empty()) return fail(ErrorCode::io, fmt::format("{} has become shorter", part()));
  update(hashers_, *bytes);
  size_ += bytes->size();
  return size_ == kept_ ? Progress::done : Progress::more;
}

Result<void> PartialFile::write(std::string_view bytes) {
  if (bytes.size() > length() - size_) {
    (void)remove();
    return fail(ErrorCode::corrupted,
                fmt::format("{} has more than the {} bytes that were signed", path_, expected_.length));
  }
  if (auto written = disk_->append(part(), bytes, 0644); !written) return written;
  update(hashers_, bytes);
  size_ += bytes.size();
  unsynced_ += bytes.size();
  return unsynced_ < sync_after_bytes ? Result<void>() : pause();
}

Result<void> PartialFile::pause() {
  unsynced_ = 0;
  if (auto synced = disk_->sync_file(part()); !synced) return synced;
  return disk_->sync_folder(folder_of(path_));
}

Result<void> PartialFile::finish() {
  const bool whole = complete();
  if (!whole || !match(hashers_, expected_.hashes)) {
    if (auto removed = remove(); !removed) return removed;
    return fail(ErrorCode::corrupted, whole
                                          ? fmt::format("{} does not have the hash that was signed", path_)
                                          : fmt::format("{} has {} bytes instead of the {} that were signed",
                                                        path_, size_, expected_.length));
  }
  if (auto synced = disk_->sync_file(part()); !synced) return synced;
  if (auto renamed = disk_->rename(part(), path_); !renamed) return renamed;
  return disk_->sync_folder(folder_of(path_));
}

Result<void> PartialFile::remove() {
  if (auto removed = disk_->remove_tree(part()); !removed) return removed;
  return disk_->sync_folder(folder_of(path_));
}

Result<bool> is_downloaded(Disk& disk, std::string_view path, const protocol::tuf::TargetFile& expected) {
  const auto status = disk.status(path);
  if (!status && status.error().code == ErrorCode::not_found) return false;
  if (!status) return fail(status);
  const auto length = static_cast<std::uint64_t>(expected.length);
  if (status->kind != Disk::Status::Kind::file || status->size != length || expected.hashes.empty()) {
    return false;
  }
  std::vector<Hasher> hashers = hashers_for(expected.hashes);
  for (std::uint64_t read = 0; read < length;) {
    const auto bytes = disk.read_part(path, read, bytes_at_once);
    if (!bytes) return fail(bytes);
    if (bytes->empty()) return false;
    update(hashers, *bytes);
    read += bytes->size();
  }
  return match(hashers, expected.hashes);
}

}  // namespace starling::agent
