#include "agent/update/tar_source.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "agent/update/release_list.hpp"
#include "release/delta.hpp"

namespace starling::agent {
namespace {

// A file of the disk. Of small reads, which mostly go on where the last one ended, each is not one of its
// own.
class DiskBytes final : public release::Bytes {
 public:
  DiskBytes(Disk& disk, std::string path, std::uint64_t size)
      : disk_(&disk), path_(std::move(path)), size_(size) {}

  const std::string& path() const { return path_; }
  std::uint64_t size() const override { return size_; }
  Result<void> read(std::uint64_t offset, std::span<char> into) override {
    if (auto inside = release::check_range(*this, offset, into.size()); !inside) return inside;
    while (!into.empty()) {
      if (offset < at_ || offset >= at_ + block_.size()) {
        auto read = disk_->read_part(path_, offset, std::max(block_bytes, into.size()));
        if (!read) return fail(read);
        if (read->empty()) return fail(ErrorCode::corrupted, path_ + " has become shorter");
        block_ = std::move(*read);
        at_ = offset;
      }
      const auto begin = static_cast<std::size_t>(offset - at_);
      const std::size_t count = std::min(into.size(), block_.size() - begin);
      std::memcpy(into.data(), block_.data() + begin, count);
      into = into.subspan(count);
      offset += count;
    }
    return {};
  }

 private:
  static constexpr std::size_t block_bytes = 16u << 10;
  Disk* disk_;
  std::string path_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;  // where the block lies
  std::string block_;
};

class PlainSource final : public TarSource {
 public:
  PlainSource(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
  Result<std::string_view> next() override {
    auto part = disk_.read_part(path_, offset_, bytes_at_once);
    if (!part) return fail(part);
    offset_ += part->size();
    part_ = std::move(*part);
    return part_;
  }

 private:
  Disk& disk_;
  std::string path_, part_;
  std::uint64_t offset_ = 0;
};

// Whatever is wrong with it: the whole may still be had, and does not need what cannot be read here.
std::unexpected<Error> damaged(const Error& error) {
  return fail(ErrorCode::corrupted, "the release cannot be had of its delta: " + error.message);
}

class DeltaSource final : public TarSource {
 public:
  explicit DeltaSource(DiskBytes delta) : delta_(std::move(delta)) {}

  Result<void> open(Disk& disk, std::uint64_t signed_length) {
    const auto head = release::read_delta_head(delta_);
    if (!head) return damaged(head.error());
    if (head->old_size > 0) {
      auto image = image_of(disk, head->old_hash);
      if (!image) return damaged(image.error());
      old_ = std::make_unique<release::ReleaseImage>(std::move(*image));
    }
    auto reader = release::DeltaReader::open(delta_, *old_, signed_length);
    if (!reader) return damaged(reader.error());
    reader_.emplace(std::move(*reader));
    return {};
  }
  Result<std::string_view> next() override {
    auto piece = reader_->next();
    return piece ? piece : damaged(piece.error());
  }

 private:
  DiskBytes delta_;
  std::unique_ptr<release::Bytes> old_ = std::make_unique<release::MemoryBytes>("");
  std::optional<release::DeltaReader> reader_;
};

}  // namespace

Result<release::ReleaseImage> image_of(Disk& disk, const Digest& release) {
  const std::string folder = release_path(release) + "/";
  const auto text = disk.read_file(folder + std::string(release_list_name), max_release_list_bytes);
  if (!text) return fail(text);
  auto list = parse_release_list(*text);
  if (!list) return fail(list);
  std::vector<release::Entry> entries;
  for (ListedEntry& listed : *list)
    entries.push_back(std::move(listed.entry));
  auto open = std::make_shared<std::optional<DiskBytes>>();  // the file that was read last
  auto content = [&disk, folder, open](const release::Entry& file, std::uint64_t offset,
                                       std::span<char> into) -> Result<void> {
    const std::string path = folder + file.path;
    if (!*open || (*open)->path() != path) open->emplace(disk, path, file.size);
    return (*open)->read(offset, into);
  };
  return release::ReleaseImage::of_entries(std::move(entries), std::move(content));
}

Result<std::unique_ptr<TarSource>> open_tar_source(Disk& disk, const Download& download,
                                                   const ReleaseTarget& target) {
  if (download.encoding == protocol::Encoding::plain)
    return std::make_unique<PlainSource>(disk, download.path);
  const auto status = disk.status(download.path);
  if (!status) return fail(status);
  auto source = std::make_unique<DeltaSource>(DiskBytes(disk, download.path, status->size));
  if (auto opened = source->open(disk, target.length); !opened) return fail(opened);
  return source;
}

}  // namespace starling::agent
