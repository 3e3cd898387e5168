#include "agent/update/release_check.hpp"

#include <fmt/format.h>

namespace starling::agent {
namespace {

using release::Entry;

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

Result<Progress> ReleaseCheck::step() {
  if (!list_) {
    if (auto read = read_list(); !read) return fail(read);
    return Progress::more;
  }
  for (int i = 0; i < entries_at_once; ++i) {
    if (checked_ == list_->size()) return Progress::done;
    if (auto good = check_entry((*list_)[checked_]); !good) return fail(good);
    if (hasher_) break;  // within a large file
  }
  return Progress::more;
}

Result<void> ReleaseCheck::read_list() {
  const auto text = disk_.read_file(folder_ + "/" + std::string(release_list_name), max_release_list_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return altered(folder_);
  if (!text) return fail(text);
  auto list = parse_release_list(*text);
  if (!list) return fail(list);
  list_ = std::move(*list);
  return {};
}

// Of a file, one part; the entry is done if no hasher is left.
Result<void> ReleaseCheck::check_entry(const ListedEntry& listed) {
  const Entry& entry = listed.entry;
  const std::string path = folder_ + "/" + entry.path;
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

}  // namespace starling::agent
