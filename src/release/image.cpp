#include "release/image.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "release/folder_walk.hpp"
#include "release/tar.hpp"

namespace starling::release {
namespace {

namespace fs = std::filesystem;

std::string metadata_text(const protocol::ReleaseMetadata& metadata) {
  return boost::json::serialize(protocol::to_json(metadata)) + "\n";
}

// Copies what of `piece`, which lies at `at` in the whole, belongs at `offset`; gives how much.
std::size_t copy_overlap(std::string_view piece, std::uint64_t at, std::span<char> into) {
  if (at >= piece.size()) return 0;
  const std::size_t count = std::min(into.size(), piece.size() - static_cast<std::size_t>(at));
  std::memcpy(into.data(), piece.data() + at, count);
  return count;
}

}  // namespace

Result<ReleaseImage> ReleaseImage::of_payload(const fs::path& folder,
                                              const protocol::ReleaseMetadata& metadata) {
  if (auto checked = protocol::check_metadata(metadata); !checked) return fail(checked);
  auto walk = walk_folder(folder, payload_path, LeaveOut::caches);
  if (!walk) return fail(walk);
  if (walk->found.empty())
    return fail(ErrorCode::invalid_argument, folder.string() + " is empty: there is nothing to release");
  ReleaseImage image;
  image.left_out_ = std::move(walk->left_out);
  const auto add_text = [&image](std::string_view path, std::string text) {
    Entry entry{.path = std::string(path), .size = text.size()};
    image.parts_.push_back({.entry = std::move(entry), .source = {}, .text = std::move(text)});
  };
  add_text(metadata_path, metadata_text(metadata));
  image.parts_.push_back({.entry = {.path = std::string(payload_path), .kind = Entry::Kind::folder}});
  add_text(version_path, to_string(metadata.version) + "\n");
  for (FoundEntry& found : walk->found) {
    if (found.entry.path == version_path) {
      if (found.entry.kind != Entry::Kind::file)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("{} is no file, and the version is written there", version_path));
      continue;
    }
    image.parts_.push_back({.entry = std::move(found.entry), .source = std::move(found.source)});
  }
  std::ranges::sort(image.parts_.begin() + 1, image.parts_.end(), {},
                    [](const Part& part) -> const std::string& { return part.entry.path; });
  if (auto laid_out = image.lay_out(); !laid_out) return fail(laid_out);
  return image;
}

Result<ReleaseImage> ReleaseImage::of_unpacked(const fs::path& folder) {
  auto walk = walk_folder(folder / payload_path, payload_path, LeaveOut::nothing);
  if (!walk) return fail(walk);
  ReleaseImage image;
  const fs::path metadata = folder / metadata_path;
  auto file = FileBytes::open(metadata);
  if (!file) return fail(file);
  image.parts_.push_back(
      {.entry = {.path = std::string(metadata_path), .size = file->size()}, .source = metadata});
  image.parts_.push_back({.entry = {.path = std::string(payload_path), .kind = Entry::Kind::folder}});
  for (FoundEntry& found : walk->found)
    image.parts_.push_back({.entry = std::move(found.entry), .source = std::move(found.source)});
  if (auto laid_out = image.lay_out(); !laid_out) return fail(laid_out);
  return image;
}

Result<ReleaseImage> ReleaseImage::of_entries(std::vector<Entry> entries, Content content) {
  ReleaseImage image;
  image.content_ = std::move(content);
  for (Entry& entry : entries)
    image.parts_.push_back({.entry = std::move(entry)});
  if (auto laid_out = image.lay_out(); !laid_out) return fail(laid_out);
  return image;
}

Result<void> ReleaseImage::lay_out() {
  TreeRules rules;
  for (Part& part : parts_) {
    if (auto admitted = rules.admit(part.entry); !admitted) return admitted;
    part.offset = size_;
    size_ += tar_header(part.entry).size() + part.entry.size + tar_padding(part.entry.size);
  }
  size_ += tar_end;
  return rules.finish();
}

Result<void> ReleaseImage::read(std::uint64_t offset, std::span<char> into) {
  if (auto inside = check_range(*this, offset, into.size()); !inside) return inside;
  if (into.empty()) return {};
  const auto after = std::ranges::upper_bound(parts_, offset, {}, &Part::offset);
  for (std::size_t index = static_cast<std::size_t>(after - parts_.begin()) - 1; index < parts_.size();
       ++index) {
    const bool last = index + 1 == parts_.size();
    const std::uint64_t end = last ? size_ : parts_[index + 1].offset;
    const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), end - offset));
    if (auto read = read_part(index, offset - parts_[index].offset, into.first(count)); !read) return read;
    into = into.subspan(count);
    offset += count;
    if (into.empty()) break;
  }
  return {};
}

Result<void> ReleaseImage::read_part(std::size_t index, std::uint64_t offset, std::span<char> into) {
  const Part& part = parts_[index];
  const std::size_t of_header = offset < tar_block ? copy_overlap(tar_header(part.entry), offset, into) : 0;
  into = into.subspan(of_header);
  offset = offset + of_header - tar_block;
  if (into.empty()) return {};
  if (offset < part.entry.size) {
    const auto content =
        into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), part.entry.size - offset)));
    if (content_) {
      if (auto read = content_(part.entry, offset, content); !read) return read;
    } else if (part.source.empty()) {
      copy_overlap(part.text, offset, content);
    } else if (auto read = read_source(index, offset, content); !read) {
      return fail(read, part.source.string());
    }
    into = into.subspan(content.size());
  }
  std::ranges::fill(into, '\0');
  return {};
}

Result<void> ReleaseImage::read_source(std::size_t index, std::uint64_t offset, std::span<char> into) {
  if (!open_ || open_part_ != index) {
    const Part& part = parts_[index];
    open_.reset(::open(part.source.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    open_part_ = index;
    if (!open_) {
      const int error = errno;
      return fail(error == EACCES ? ErrorCode::permission_denied : ErrorCode::io,
                  std::generic_category().message(error));
    }
    struct stat status {};
    if (::fstat(open_.number(), &status) != 0)
      return fail(ErrorCode::io, std::generic_category().message(errno));
    if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != part.entry.size)
      return fail(ErrorCode::conflict, "it was changed while it was read; try again");
  }
  return read_at(open_, offset, into);
}

}  // namespace starling::release
