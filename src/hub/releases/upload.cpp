#include "hub/releases/upload.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
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

Result<void> check_room(const fs::path& folder, std::uint64_t announced, const Upload::Kind& kind) {
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available >= announced + reserve_bytes) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("the hub's disk has {} MB left, too little for this {} of {} MB",
                          space.available >> 20, kind.noun, announced >> 20));
}

}  // namespace

std::uint64_t announced_bytes(const http::Request& request) {
  std::uint64_t bytes = 0;
  const std::string_view text = request.headers.find("Content-Length").value_or("");
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

Result<std::shared_ptr<Upload>> Upload::begin(fs::path folder, std::string sha256, std::uint64_t announced,
                                              const Kind& kind) {
  const bool is_hash =
      sha256.size() == 64 && sha256.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!sha256.empty() && !is_hash) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format(
            "query parameter 'sha256' must have the 64 lower-case hexadecimal digits of the {}'s SHA-256",
            kind.noun));
  }
  if (announced > kind.max_bytes) return fail(ErrorCode::too_large, std::string(kind.limit));
  if (auto room = check_room(folder, announced, kind); !room) return fail(room);
  fs::path path = folder / (random_token(12) + ".part");
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return failed("creating", path);
  return std::shared_ptr<Upload>(new Upload(std::move(path), std::move(sha256), std::move(file), kind));
}

Upload::~Upload() {
  ::unlink(path_.c_str());  // there is nothing there any more if it was kept
}

Result<void> Upload::write(std::string_view part) {
  length_ += part.size();
  if (length_ > kind_.max_bytes) return fail(ErrorCode::too_large, std::string(kind_.limit));
  hasher_.update(part);
  return write_all(file_, part, path_);
}

Result<void> Upload::finish() {
  if (length_ == 0) {
    return fail(ErrorCode::invalid_argument, fmt::format("the request's body must be the {}", kind_.noun));
  }
  const std::string hash = hasher_.finish();
  if (sha256_.empty()) sha256_ = hash;
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
