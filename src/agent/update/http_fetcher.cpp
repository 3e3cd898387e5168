#include "agent/update/http_fetcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace starling::agent {
namespace {

constexpr Milliseconds longest_wait{30'000};
// What an error page may have, however short the file is that was asked for.
constexpr std::uint64_t page_bytes = 64u << 10;
constexpr std::uint64_t most_bytes = std::numeric_limits<std::size_t>::max() / 2;

Result<void> check_status(const std::string& path, int status) {
  if (status == 200 || status == 206) return {};
  const ErrorCode code = status == 404 || status == 410   ? ErrorCode::not_found
                         : status == 401 || status == 403 ? ErrorCode::permission_denied
                         : status == 416                  ? ErrorCode::conflict
                                                          : ErrorCode::unavailable;
  return fail(code, fmt::format("{}: the server answered {}", path, status));
}

std::unexpected<Error> too_large(const std::string& path, std::uint64_t max_bytes) {
  return fail(ErrorCode::too_large, fmt::format("{} has more than {} bytes", path, max_bytes));
}

}  // namespace

HttpFetcher::HttpFetcher(boost::asio::any_io_executor executor, const http::Url& base, http::TlsTrust trust)
    : client_(std::move(executor), base, std::move(trust)),
      folder_(base.target.substr(0, base.target.find('?'))),
      query_(base.target.substr(std::min(base.target.find('?'), base.target.size()))) {
  if (!folder_.ends_with('/')) folder_ += '/';
}

http::Client::Call HttpFetcher::call_for(const std::string& path, std::uint64_t max_bytes) const {
  http::Client::Call call;
  call.target = folder_ + path + query_;
  call.timeout = longest_wait;
  if (!token_.empty()) call.headers.set("Authorization", "Bearer " + token_);
  call.max_response_bytes = static_cast<std::size_t>(std::min(std::max(max_bytes, page_bytes), most_bytes));
  return call;
}

boost::asio::awaitable<Result<std::string>> HttpFetcher::fetch(std::string path, std::size_t max_bytes) {
  http::Client::Call call = call_for(path, max_bytes);
  Result<http::Response> response = co_await client_.call(std::move(call));
  if (!response) co_return fail(response, path);
  if (const auto found = check_status(path, response->status); !found) co_return fail(found);
  if (response->body.size() > max_bytes) co_return too_large(path, max_bytes);
  co_return std::move(response->body);
}

boost::asio::awaitable<Result<void>> HttpFetcher::stream(std::string path, std::uint64_t first,
                                                         std::uint64_t max_bytes, Sink sink) {
  http::Client::Call call = call_for(path, max_bytes);
  call.first_byte = first;
  call.bytes_per_second = bytes_per_second_;
  std::uint64_t left = max_bytes - std::min(first, max_bytes);
  http::Client::BodySink bounded = [&](std::string_view part) -> Result<void> {
    if (part.size() > left) return too_large(path, max_bytes);
    left -= part.size();
    return sink(part);
  };
  const Result<http::Response> response = co_await client_.download(std::move(call), std::move(bounded));
  if (!response) co_return fail(response, path);
  co_return check_status(path, response->status);
}

}  // namespace starling::agent
