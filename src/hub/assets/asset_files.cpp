#include "hub/assets/asset_files.hpp"

#include <boost/asio/post.hpp>
#include <system_error>

#include "base/files.hpp"

namespace starling::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_asset_uploads = 4;

std::size_t remove_all_but(const fs::path& folder, const std::set<Digest>& needed) {
  std::size_t removed = 0;
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const auto hash = Digest::from_hex(at->path().filename().string());
    if (!hash || !*hash || needed.contains(*hash)) continue;
    std::error_code failed;
    removed += fs::remove(at->path(), failed) ? 1 : 0;
  }
  return removed;
}

}  // namespace

AssetFiles::~AssetFiles() {
  worker_.join();
}

void AssetFiles::forget_uploads(const std::vector<std::string>& fleets) const {
  std::error_code ignored;
  for (const std::string& fleet : fleets)
    fs::remove_all(folder(fleet) / "uploads", ignored);
}

Result<std::shared_ptr<Upload>> AssetFiles::begin(std::string_view fleet, std::string sha256,
                                                  std::uint64_t announced) {
  std::erase_if(uploads_, [](const auto& upload) { return upload.expired(); });
  if (uploads_.size() >= max_asset_uploads) {
    return fail(ErrorCode::unavailable,
                "enough assets are being uploaded already; try again when one of them is done");
  }
  const fs::path uploads = folder(fleet) / "uploads";
  if (auto made = make_folders(uploads, 0700); !made) return fail(made);
  auto upload = Upload::begin(uploads, std::move(sha256), announced, kind);
  if (upload) uploads_.push_back(*upload);
  return upload;
}

void AssetFiles::keep(const std::string& fleet, std::shared_ptr<Upload> upload, Done done) {
  const auto as = path(fleet, *Digest::from_hex(upload->sha256()));
  auto work = [this, as, upload = std::move(upload), done = std::move(done)]() mutable {
    Result<void> kept = upload->keep(as);
    // The folder itself may be new.
    if (kept) kept = fsync_folder(as.parent_path().parent_path());
    executor_.post([kept = std::move(kept), done = std::move(done)]() mutable { done(std::move(kept)); });
  };
  boost::asio::post(worker_, std::move(work));
}

fs::path AssetFiles::path(std::string_view fleet, const Digest& file) const {
  return folder(fleet) / file.hex();
}

bool AssetFiles::has(std::string_view fleet, const Digest& file) const {
  std::error_code missing;
  return fs::is_regular_file(path(fleet, file), missing);
}

AssetFiles::Hold AssetFiles::hold(const std::string& fleet, const Digest& file) {
  auto held = std::make_shared<const Digest>(file);
  held_[fleet].push_back(held);
  return held;
}

void AssetFiles::collect(const std::string& fleet, std::set<Digest> needed, Collected done) {
  std::erase_if(held_[fleet], [](const auto& held) { return held.expired(); });
  for (const auto& held : held_[fleet]) {
    if (const auto file = held.lock()) needed.insert(*file);
  }
  auto work = [this, folder = folder(fleet), needed = std::move(needed), done = std::move(done)]() mutable {
    const std::size_t removed = remove_all_but(folder, needed);
    executor_.post([removed, done = std::move(done)] { done(removed); });
  };
  boost::asio::post(worker_, std::move(work));
}

}  // namespace starling::hub
