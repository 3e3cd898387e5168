#include "hub/releases/upload.hpp"

#include <fmt/format.h>

#include <charconv>

namespace starling::hub {

namespace fs = std::filesystem;

std::uint64_t announced_bytes(const http::Request& request) {
  std::uint64_t bytes = 0;
  const std::string_view text = request.headers.find("Content-Length").value_or("");
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

Result<std::shared_ptr<Upload>> Upload::begin(const fs::path& folder, std::string sha256,
                                              std::uint64_t announced, const Kind& kind) {
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
  auto file = UnfinishedFile::begin(folder / (random_token(12) + ".part"), announced, kind.noun);
  if (!file) return fail(file);
  return std::shared_ptr<Upload>(new Upload(std::move(*file), std::move(sha256), kind));
}

Result<void> Upload::write(std::string_view part) {
  length_ += part.size();
  if (length_ > kind_.max_bytes) return fail(ErrorCode::too_large, std::string(kind_.limit));
  hasher_.update(part);
  return file_.write(part);
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

}  // namespace starling::hub
