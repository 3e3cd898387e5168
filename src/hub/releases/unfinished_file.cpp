#include "hub/releases/unfinished_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/files.hpp"
#include "base/write_all.hpp"

namespace starling::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t reserve_bytes = std::uint64_t{64} << 20;  // for the hub's own work

std::unexpected<Error> failed(std::string_view doing, const fs::path& path) {
  return fail(ErrorCode::io,
              fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(errno)));
}

Result<void> check_room(const fs::path& folder, std::uint64_t bytes, std::string_view noun) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available >= bytes + reserve_bytes) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("the hub's disk has {} MB left, too little for this {} of {} MB",
                          space.available >> 20, noun, bytes >> 20));
}

}  // namespace

Result<UnfinishedFile> UnfinishedFile::begin(fs::path path, std::uint64_t bytes, std::string_view noun) {
  if (auto room = check_room(path.parent_path(), bytes, noun); !room) return fail(room);
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failed("creating", path);
  return UnfinishedFile(std::move(path), std::move(file));
}

UnfinishedFile::~UnfinishedFile() {
  if (file_) ::unlink(path_.c_str());  // there is nothing there any more if it was kept
}

Result<void> UnfinishedFile::write(std::string_view part) {
  return write_all(file_, part, path_);
}

Result<void> UnfinishedFile::keep(const fs::path& as) const {
  if (::fsync(file_.number()) != 0) return failed("syncing", path_);
  if (::rename(path_.c_str(), as.c_str()) != 0) return failed("renaming onto", as);
  return fsync_folder(as.parent_path());
}

}  // namespace starling::hub
