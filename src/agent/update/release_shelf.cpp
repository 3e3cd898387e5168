#include "agent/update/release_shelf.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "agent/update/partial_file.hpp"

namespace starling::agent {
namespace {

using protocol::Encoding;

// Whether it is more than the unpacked folder.
bool is_of(std::string_view name, const Digest& release) {
  return name.starts_with(release.hex() + ".");
}

// "delta" of "SHA256.delta.HASH.part".
std::string_view word_in(std::string_view name) {
  name.remove_prefix(std::min(name.find('.') + 1, name.size()));
  return name.substr(0, name.find('.'));
}

bool is_wanted(std::string_view name, const WantedReleases& wanted) {
  const auto hash = Digest::from_hex(name.substr(0, name.find('.')));
  if (!hash || !*hash) return false;
  if (wanted.in_work == *hash) return true;
  return name.find('.') == std::string_view::npos &&
         std::ranges::find(wanted.unpacked, *hash) != wanted.unpacked.end();
}

}  // namespace

Result<void> collect_releases(Disk& disk, const WantedReleases& wanted) {
  const auto names = disk.list(releases_folder);
  if (!names && names.error().code == ErrorCode::not_found) return {};
  if (!names) return fail(names);
  bool removed = false;
  for (const std::string& name : *names) {
    if (is_wanted(name, wanted)) continue;
    if (auto gone = disk.remove_tree(std::string(releases_folder) + "/" + name); !gone) return gone;
    removed = true;
  }
  return removed ? disk.sync_folder(releases_folder) : Result<void>();
}

std::string download_path(const Digest& release, const protocol::EncodingOffer& offer) {
  if (offer.encoding == Encoding::plain) return release_tar_path(release);
  return release_path(release, fmt::format(".{}.{}", to_string(offer.encoding), offer.hash.hex()));
}

Result<std::optional<Download>> find_download(Disk& disk, const Digest& release) {
  const auto names = disk.list(releases_folder);
  if (!names && names.error().code == ErrorCode::not_found) return std::nullopt;
  if (!names) return fail(names);
  for (const std::string& name : *names) {
    if (!is_of(name, release) || name.ends_with(PartialFile::ending)) continue;
    const std::string_view word = word_in(name);
    const auto encoding = word == "tar" ? Result<Encoding>(Encoding::plain) : protocol::parse_encoding(word);
    if (encoding) return Download{fmt::format("{}/{}", releases_folder, name), *encoding};
  }
  return std::nullopt;
}

Result<std::uint64_t> bytes_left(Disk& disk, const Digest& release, const protocol::EncodingOffer& offer) {
  const auto part = disk.status(download_path(release, offer) + std::string(PartialFile::ending));
  if (part) return offer.length - std::min(part->size, offer.length);
  if (part.error().code != ErrorCode::not_found) return fail(part);
  return offer.length;
}

Result<void> drop_downloads(Disk& disk, const Digest& release, std::string_view but) {
  const auto names = disk.list(releases_folder);
  if (!names && names.error().code == ErrorCode::not_found) return {};
  if (!names) return fail(names);
  bool removed = false;
  for (const std::string& name : *names) {
    const std::string path = fmt::format("{}/{}", releases_folder, name);
    const bool is_download = is_of(name, release) && word_in(name) != "new";
    if (!is_download || path == but || path == fmt::format("{}{}", but, PartialFile::ending)) continue;
    if (auto gone = disk.remove_tree(path); !gone) return gone;
    removed = true;
  }
  return removed ? disk.sync_folder(releases_folder) : Result<void>();
}

}  // namespace starling::agent
