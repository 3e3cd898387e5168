#include "agent/update/release_unpacker.hpp"

#include <fmt/format.h>

namespace starling::agent {
namespace {

using release::Entry;
using release::metadata_path;
using release::version_path;

constexpr std::size_t max_version_bytes = 128;
// So that no single sync takes seconds.
constexpr std::uint64_t synced_at_once_bytes = 4u << 20;
constexpr int folders_at_once = 16;

std::string_view without_line_end(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \r\n");
  return text.substr(0, end == std::string_view::npos ? 0 : end + 1);
}

bool is_about_the_release(const Error& error) {
  return error.code == ErrorCode::invalid_argument || error.code == ErrorCode::malformed ||
         error.code == ErrorCode::too_large;
}

// The signed bytes are no release: however that shows, trying again will not help.
std::unexpected<Error> no_release(const Error& error) {
  const bool large = error.code == ErrorCode::too_large;
  return fail(large ? ErrorCode::too_large : ErrorCode::invalid_argument, error.message);
}

}  // namespace

Result<void> ReleaseUnpacker::start() {
  if (auto removed = disk_.remove_tree(folder_); !removed) return removed;
  return disk_.make_folder(folder_);
}

Result<void> ReleaseUnpacker::feed(std::string_view bytes) {
  fed_ += bytes.size();
  if (fed_ > target_.length) {
    return fail(ErrorCode::corrupted, "the release's tar has more bytes than were signed");
  }
  whole_.update(bytes);
  if (!readable_) return {};
  auto fed = tar_.feed(bytes);
  if (fed || !is_about_the_release(fed.error())) return fed;
  readable_ = no_release(fed.error());
  return {};
}

Result<void> ReleaseUnpacker::begin(const Entry& entry) {
  list_.push_back({entry, {}});
  switch (entry.kind) {
    case Entry::Kind::folder: return disk_.make_folder(at(entry.path));
    case Entry::Kind::link: return disk_.make_link(entry.target, at(entry.path));
    case Entry::Kind::file: break;
  }
  if (entry.path == version_path && entry.size > max_version_bytes) {
    return fail(ErrorCode::invalid_argument, fmt::format("the release's {} is too large", version_path));
  }
  file_.emplace(HashAlgorithm::sha256);
  left_ = entry.size;
  unsynced_ = 0;
  if (left_ > 0) return {};
  if (auto made = disk_.append(at(entry.path), "", mode_of(entry)); !made) return made;
  return end_file();
}

Result<void> ReleaseUnpacker::content(std::string_view bytes) {
  const Entry& entry = list_.back().entry;
  file_->update(bytes);
  if (entry.path == metadata_path) metadata_ += bytes;
  if (entry.path == version_path) version_ += bytes;
  if (auto written = disk_.append(at(entry.path), bytes, mode_of(entry)); !written) return written;
  left_ -= bytes.size();
  unsynced_ += bytes.size();
  if (left_ == 0) return end_file();
  if (unsynced_ < synced_at_once_bytes) return {};
  unsynced_ = 0;
  return disk_.sync_file(at(entry.path));
}

Result<void> ReleaseUnpacker::end_file() {
  ListedEntry& listed = list_.back();
  listed.hash = *Digest::from_hex(file_->finish());
  return disk_.sync_file(at(listed.entry.path));
}

Result<void> ReleaseUnpacker::finish() {
  if (whole_.finish() != target_.release.hash.hex()) {
    return fail(ErrorCode::corrupted, "the release's tar does not have the hash that was signed");
  }
  if (!readable_) return readable_;
  if (auto complete = tar_.finish(); !complete) return no_release(complete.error());
  if (auto good = check_versions(); !good) return good;
  folders_to_sync_.push_back(folder_);
  for (const ListedEntry& listed : list_)
    if (listed.entry.kind == Entry::Kind::folder) folders_to_sync_.push_back(at(listed.entry.path));
  return disk_.write_file(at(release_list_name), release_list_text(list_), 0644);
}

Result<void> ReleaseUnpacker::check_versions() const {
  const auto wrong = [&](std::string_view what) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the release signed as {} for {} {}", target_.release.version,
                            target_.architecture, what));
  };
  const Result<Json> json = parse_json(metadata_);
  if (!json || !json->is_object()) return wrong(fmt::format("has a {} that cannot be read", metadata_path));
  const JsonReader reader(json->get_object());
  const auto version = reader.optional_string("version");
  const auto architecture = reader.optional_string("architecture");
  if (!version || *version != target_.release.version) return wrong("says that it is another one");
  if (!architecture || architecture->value_or(target_.architecture) != target_.architecture) {
    return wrong("says that it is for another architecture");
  }
  if (without_line_end(version_) != target_.release.version)
    return wrong(fmt::format("has another {}", version_path));
  return {};
}

Result<Progress> ReleaseUnpacker::sync() {
  for (int i = 0; i < folders_at_once && !folders_to_sync_.empty(); ++i) {
    if (auto synced = disk_.sync_folder(folders_to_sync_.back()); !synced) return fail(synced);
    folders_to_sync_.pop_back();
  }
  return folders_to_sync_.empty() ? Progress::done : Progress::more;
}

}  // namespace starling::agent
