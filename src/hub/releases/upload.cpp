#include "hub/releases/upload.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "base/files.hpp"

namespace starling::hub {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t reserve_bytes = std::uint64_t{64} << 20;  // for the hub's own work

std::unexpected<Error> failed(std::string_view doing, const fs::path& path) {
  return fail(ErrorCode::io,
              fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(errno)));
}

std::unexpected<Error> too_large() {
  return fail(ErrorCode::too_large,
              fmt::format("a release has at most {} MB for each architecture", Upload::max_bytes >> 20));
}

Result<void> check_room(const fs::path& folder, std::uint64_t announced) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available >= announced + reserve_bytes) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("the hub's disk has {} MB left, too little for this release of {} MB",
                          space.available >> 20, announced >> 20));
}

}  // namespace

Result<std::shared_ptr<Upload>> Upload::begin(fs::path folder, std::string sha256, std::uint64_t announced) {
  if (sha256.size() != 64 || sha256.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return fail(
        ErrorCode::invalid_argument,
        "query parameter 'sha256' must have the 64 lower-case hexadecimal digits of the tar's SHA-256");
  }
  if (announced > max_bytes) return too_large();
  if (auto room = check_room(folder, announced); !room) return fail(room);
  fs::path path = folder / (random_token(12) + ".part");
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return failed("creating", path);
  return std::shared_ptr<Upload>(new Upload(std::move(path), std::move(sha256), std::move(file)));
}

Upload::~Upload() {
  ::unlink(path_.c_str());  // there is nothing there any more if it was kept
}

Result<void> Upload::write(std::string_view part) {
  length_ += part.size();
  if (length_ > max_bytes) return too_large();
  hasher_.update(part);
  while (!part.empty()) {
    const ssize_t written = ::write(file_.number(), part.data(), part.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("writing", path_);
    part.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<void> Upload::finish() {
  if (length_ == 0) return fail(ErrorCode::invalid_argument, "the request's body must be the release's tar");
  const std::string hash = hasher_.finish();
  if (hash == sha256_) return {};
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("what came has the SHA-256 {}, but {} was announced: send it again", hash, sha256_));
}

Result<void> Upload::keep(const fs::path& as) const {
  if (::fsync(file_.number()) != 0) return failed("syncing", path_);
  if (::rename(path_.c_str(), as.c_str()) != 0) return failed("renaming onto", as);
  return fsync_folder(as.parent_path());
}

}  // namespace starling::hub
