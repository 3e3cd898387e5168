#include "hub/releases/zip_shelf.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/write_all.hpp"
#include "hub/releases/repository.hpp"
#include "release/zip.hpp"

namespace starling::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t shelf_reserve_bytes = std::uint64_t{64} << 20;  // for the hub's own work

std::unexpected<Error> zip_failed(std::string_view doing, const fs::path& path) {
  return fail(ErrorCode::io,
              fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(errno)));
}

// A ZIP is hardly ever larger than its tar.
Result<void> check_room(const fs::path& folder, std::uint64_t bytes) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available >= bytes + shelf_reserve_bytes) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("the hub's disk has {} MB left, too little for the ZIP of this release",
                          space.available >> 20));
}

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

}  // namespace

ZipShelf::ZipShelf(Executor& executor) : executor_(executor), worker_([this] { run(); }) {}

ZipShelf::~ZipShelf() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

bool ZipShelf::stopping() {
  const std::lock_guard guard(mutex_);
  return stopping_;
}

void ZipShelf::fetch(const fs::path& repository, const std::string& sha256, Done done) {
  Job job{Repository::target_file(repository, sha256), repository / "zips" / (sha256 + ".zip"),
          std::move(done)};
  std::error_code ignored;
  const bool there = fs::exists(job.zip, ignored);
  {
    const std::lock_guard guard(mutex_);
    const bool full = jobs_.size() >= max_waiting;
    if (there || full) {
      auto outcome = there ? Result<fs::path>(job.zip)
                           : fail(ErrorCode::unavailable, "too many ZIPs are being made; try again soon");
      executor_.post([done = std::move(job.done), outcome = std::move(outcome)] { done(outcome); });
      return;
    }
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

void ZipShelf::run() {
  for (;;) {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    guard.unlock();
    const auto made = make(job);
    auto outcome = made ? Result<fs::path>(job.zip) : fail(made);
    executor_.post([done = job.done, outcome = std::move(outcome)] { done(outcome); });
  }
}

Result<void> ZipShelf::make(const Job& job) {
  std::error_code error;
  if (fs::exists(job.zip, error)) return {};  // somebody asked for it just before
  const fs::path folder = job.zip.parent_path();
  if (auto made = make_folders(folder, 0700); !made) return made;
  auto tar = release::FileBytes::open(job.tar);
  if (!tar) return fail(tar);
  if (auto room = check_room(folder, tar->size()); !room) return room;
  // What an ended hub has left there is written over.
  const fs::path partial = folder / "next.part";
  FileDescriptor file(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return zip_failed("creating", partial);
  release::ZipStream zip(*tar);
  for (bool ended = false; !ended;) {
    const auto piece = zip.next();
    if (!piece) return fail(piece);
    if (stopping()) return fail(ErrorCode::unavailable, "the hub ends");
    ended = piece->empty();
    if (auto written = write_all(file, *piece, partial); !written) return written;
  }
  if (::fsync(file.number()) != 0) return zip_failed("syncing", partial);
  fs::rename(partial, job.zip, error);
  if (error)
    return fail(ErrorCode::io, fmt::format("renaming onto {}: {}", job.zip.string(), error.message()));
  drop_old(folder, job.zip);
  return {};
}

}  // namespace starling::hub
