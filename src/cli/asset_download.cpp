#include "cli/asset_download.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/files.hpp"
#include "base/write_all.hpp"
#include "release/bytes.hpp"

namespace starling::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(std::string_view doing, const fs::path& path) {
  return fail(ErrorCode::io,
              fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(errno)));
}

// What has come so far.
class Part {
 public:
  // Goes on with what is there, whatever it is of: its hash tells in the end.
  static Result<Part> open(const fs::path& path, const protocol::AssetFile& asset) {
    Part part(path, asset);
    auto there = release::FileBytes::open(path);
    const bool goes_on = there && there->size() <= asset.size;
    if (goes_on) {
      const auto read =
          release::copy_all(*there, [&part](std::string_view bytes) { return part.hash(bytes); });
      if (!read) return fail(read, path.string());
    }
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | (goes_on ? 0 : O_TRUNC);
    part.file_.reset(::open(path.c_str(), flags, 0644));
    if (!part.file_) return failed("opening", path);
    return part;
  }

  std::uint64_t size() const { return size_; }
  Result<void> write(std::string_view bytes) {
    if (bytes.size() > asset_.size - size_)
      return fail(ErrorCode::corrupted, fmt::format("more than the asset's {} bytes come", asset_.size));
    if (auto written = write_all(file_, bytes, path_); !written) return written;
    return hash(bytes);
  }
  bool is_whole() { return size_ == asset_.size && hasher_.finish() == asset_.sha256.hex(); }
  Result<void> keep_as(const fs::path& file) const {
    if (::fsync(file_.number()) != 0) return failed("syncing", path_);
    if (::rename(path_.c_str(), file.c_str()) != 0) return failed("renaming onto", file);
    return fsync_folder(fs::absolute(file).parent_path());
  }

 private:
  Part(fs::path path, const protocol::AssetFile& asset) : path_(std::move(path)), asset_(asset) {}
  Result<void> hash(std::string_view bytes) {
    hasher_.update(bytes);
    size_ += bytes.size();
    return {};
  }

  fs::path path_;
  protocol::AssetFile asset_;
  FileDescriptor file_;
  Hasher hasher_{HashAlgorithm::sha256};
  std::uint64_t size_ = 0;
};

}  // namespace

Result<void> download_asset(ApiClient& api, const protocol::AssetFile& asset, const fs::path& file) {
  fs::path path = file;
  path += ".part";
  for (;;) {
    auto part = Part::open(path, asset);
    if (!part) return fail(part);
    const bool resumed = part->size() > 0;
    if (part->size() < asset.size) {
      const auto take = [&part](std::string_view bytes) { return part->write(bytes); };
      // By its hash, so that it is one file from beginning to end.
      const auto came =
          api.download(path_of({"asset-files", asset.sha256.hex()}), part->size(), asset.size, take);
      if (!came) return came;
    }
    if (part->is_whole()) return part->keep_as(file);
    std::error_code ignored;
    fs::remove(path, ignored);
    if (!resumed) {
      return fail(ErrorCode::corrupted,
                  fmt::format("what came does not have the SHA-256 {}; try again", asset.sha256.hex()));
    }
  }
}

}  // namespace starling::cli
