#include "hub/releases/zip_shelf.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <system_error>
#include <utility>

#include "base/files.hpp"
#include "hub/releases/repository.hpp"
#include "hub/releases/unfinished_file.hpp"
#include "release/zip.hpp"

namespace starling::hub {

namespace fs = std::filesystem;

namespace {

// Of those that nobody has asked for lately the oldest go; who downloads one has it open.
void drop_old(const fs::path& folder, const fs::path& newest) {
  std::vector<std::pair<fs::file_time_type, fs::path>> zips;
  std::error_code ignored;
  for (const fs::path& zip : list_folder(folder).value_or(std::vector<fs::path>())) {
    if (zip != newest) zips.emplace_back(fs::last_write_time(zip, ignored), zip);
  }
  std::ranges::sort(zips, std::greater());
  for (std::size_t i = ZipShelf::kept - 1; i < zips.size(); ++i)
    fs::remove(zips[i].second, ignored);
}

// A ZIP is hardly ever larger than its tar.
Result<void> make_zip(const fs::path& tar_file, const fs::path& zip_file, const std::stop_token& stop) {
  const fs::path folder = zip_file.parent_path();
  if (auto made = make_folders(folder, 0700); !made) return made;
  auto tar = release::FileBytes::open(tar_file);
  if (!tar) return fail(tar);
  auto file = UnfinishedFile::begin(folder / "next.part", tar->size(), "release's ZIP");
  if (!file) return fail(file);
  release::ZipStream zip(*tar);
  for (bool ended = false; !ended;) {
    if (stop.stop_requested()) return fail(ErrorCode::unavailable, "the hub ends");
    const auto piece = zip.next();
    if (!piece) return fail(piece);
    ended = piece->empty();
    if (auto written = file->write(*piece); !written) return written;
  }
  if (auto kept = file->keep(zip_file); !kept) return kept;
  drop_old(folder, zip_file);
  return {};
}

}  // namespace

void ZipShelf::fetch(const fs::path& repository, const std::string& sha256, Done done) {
  const fs::path zip = repository / "zips" / (sha256 + ".zip");
  const auto answer = [&](Result<fs::path> outcome) {
    executor_.post([done = std::move(done), outcome = std::move(outcome)] { done(outcome); });
  };
  std::error_code ignored;
  if (fs::exists(zip, ignored)) return answer(zip);
  const bool is_new = !awaited_.contains(zip);
  if (is_new && awaited_.size() >= max_waiting)
    return answer(fail(ErrorCode::unavailable, "too many ZIPs are being made; try again soon"));
  awaited_[zip].push_back(std::move(done));
  if (!is_new) return;
  auto work = [this, tar = Repository::target_file(repository, sha256), zip, stop = stopping_.get_token()] {
    executor_.post([this, zip, made = make_zip(tar, zip, stop)] { hand_over(zip, made); });
  };
  boost::asio::post(worker_, std::move(work));
}

void ZipShelf::hand_over(const fs::path& zip, const Result<void>& made) {
  const auto outcome = made ? Result<fs::path>(zip) : fail(made);
  const auto waiting = awaited_.extract(zip);
  for (const Done& done : waiting.mapped())
    done(outcome);
}

}  // namespace starling::hub
