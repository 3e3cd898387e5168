// Purpose: a file as the answer to a GET: whole, a part of it (RFC 9110 section 14), or "you have it
// already". Owner: the handler. Thread: any; opens the file and reads nothing of it. Lifetime: the file stays
// open as long as the response.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/http/message.hpp"

namespace starling::http {

struct FileFacts {
  std::string content_type = "application/octet-stream";
  std::string etag;           // strong, with its quotation marks
  std::string cache_control;  // "" for none
};

// Several ranges, and what is no range, are answered with the whole file. Errors: not_found,
// permission_denied, io.
Result<Response> file_response(const Request& request, const std::filesystem::path& path,
                               const FileFacts& facts);

// The one range that a Range header asks of `size` bytes; its length is 0 if there is nothing there.
// nullopt: the header is to be ignored.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size);

// Whether a list of entity tags ("*", or "a", W/"b") has this one; weak and strong are the same here.
bool names_etag(std::string_view list, std::string_view etag);

}  // namespace starling::http
