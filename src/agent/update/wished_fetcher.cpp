#include "agent/update/wished_fetcher.hpp"

#include <utility>

namespace starling::agent {

using boost::asio::awaitable;

awaitable<Result<std::string>> WishedFetcher::fetch(std::string path, std::size_t max_bytes) {
  return fetcher_.fetch(std::move(path), max_bytes);
}

awaitable<Result<void>> WishedFetcher::stream(std::string path, std::uint64_t first, std::uint64_t max_bytes,
                                              Sink sink) {
  Sink wished = [this, sink = std::move(sink)](std::string_view part) -> Result<void> {
    if (now_ != wish_) return fail(ErrorCode::unavailable, "not wanted any more");
    return sink(part);
  };
  const Result<void> done = co_await fetcher_.stream(std::move(path), first, max_bytes, std::move(wished));
  // Whatever came of it: who has asked again since goes on with the same file.
  if (now_ != wish_) co_return fail(ErrorCode::unavailable, "not wanted any more");
  co_return done;
}

}  // namespace starling::agent
