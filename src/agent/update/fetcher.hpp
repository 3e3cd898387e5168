// Purpose: where the files of a TUF repository come from. None of it is trusted.
// Owner: main() or a test. Thread: the io_context's. Lifetime: outlives the client.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling::agent {

class Fetcher {
 public:
  using Sink = std::function<Result<void>(std::string_view)>;
  virtual ~Fetcher() = default;

  // `path` is relative to the repository, each of its parts percent-encoded. Errors of both: not_found,
  // too_large (there are more than `max_bytes`), unavailable, timed_out, permission_denied.
  virtual boost::asio::awaitable<Result<std::string>> fetch(std::string path, std::size_t max_bytes) = 0;
  // Hands over part by part what may not fit into memory, from the byte `first` on; `max_bytes` are those of
  // the whole file. Further errors: conflict (it has no such byte), the sink's, which ends it.
  virtual boost::asio::awaitable<Result<void>> stream(std::string path, std::uint64_t first,
                                                      std::uint64_t max_bytes, Sink sink) = 0;
};

}  // namespace starling::agent
