#include "base/http/file_response.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/trimmed.hpp"

namespace starling::http {
namespace {

std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

Response no_such_range(std::uint64_t size) {
  const Error error{ErrorCode::invalid_argument,
                    fmt::format("the file has {} bytes, and none of the range that was asked for", size),
                    {}};
  Response response = problem_response(error, 416);
  response.headers.set("Content-Range", fmt::format("bytes */{}", size));
  return response;
}

void add_facts(Response& response, const FileFacts& facts) {
  response.content_type = facts.content_type;
  response.headers.set("ETag", facts.etag);
  response.headers.set("Accept-Ranges", "bytes");
  if (!facts.cache_control.empty()) response.headers.set("Cache-Control", facts.cache_control);
}

}  // namespace

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view unit = "bytes=";
  if (!header.starts_with(unit)) return std::nullopt;
  const std::string_view range = trimmed(header.substr(unit.size()), " \t");
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view from = range.substr(0, dash);
  const std::string_view to = range.substr(dash + 1);
  const auto last = number(to);
  if (!to.empty() && !last) return std::nullopt;  // several ranges, too
  if (from.empty()) {
    if (!last) return std::nullopt;
    const std::uint64_t length = std::min(*last, size);
    return ByteRange{size - length, length};
  }
  const auto first = number(from);
  if (!first || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return ByteRange{size, 0};
  const std::uint64_t most = size - *first;
  return ByteRange{*first, last ? std::min(*last - *first, most - 1) + 1 : most};
}

bool names_etag(std::string_view list, std::string_view etag) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view one = trimmed(list.substr(0, comma), " \t");
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

Result<Response> file_response(const Request& request, const std::filesystem::path& path,
                               const FileFacts& facts) {
  auto body = std::make_shared<FileBody>();
  body->file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!body->file || ::fstat(body->file.number(), &status) != 0 || !S_ISREG(status.st_mode)) {
    const int error = errno;
    const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                           : error == EACCES                   ? ErrorCode::permission_denied
                                                               : ErrorCode::io;
    return fail(code, fmt::format("opening {}: {}", path.filename().string(),
                                  std::generic_category().message(error)));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  Response response;
  add_facts(response, facts);
  if (const auto known = request.headers.find("If-None-Match"); known && names_etag(*known, facts.etag)) {
    response.status = 304;
    return response;
  }
  body->length = size;
  const auto asked = request.headers.find("Range");
  const auto condition = request.headers.find("If-Range");
  if (asked && (!condition || *condition == facts.etag)) {
    if (const auto range = parse_range(*asked, size)) {
      if (range->length == 0) return no_such_range(size);
      body->offset = range->first;
      body->length = range->length;
      response.status = 206;
      response.headers.set("Content-Range", fmt::format("bytes {}-{}/{}", range->first,
                                                        range->first + range->length - 1, size));
    }
  }
  response.file = std::move(body);
  return response;
}

}  // namespace starling::http
