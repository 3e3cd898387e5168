// Purpose: ends the transfer of what is not wanted any more: `now` has moved on from `wish`.
// Owner: the transfer. Thread: the io_context's. Lifetime: the transfer's; what is passed in outlives it.
#pragma once

#include <cstdint>

#include "agent/update/fetcher.hpp"

namespace starling::agent {

class WishedFetcher final : public Fetcher {
 public:
  WishedFetcher(Fetcher& fetcher, const std::uint64_t& now, std::uint64_t wish)
      : fetcher_(fetcher), now_(now), wish_(wish) {}
  boost::asio::awaitable<Result<std::string>> fetch(std::string path, std::size_t max_bytes) override;
  boost::asio::awaitable<Result<void>> stream(std::string path, std::uint64_t first, std::uint64_t max_bytes,
                                              Sink sink) override;

 private:
  Fetcher& fetcher_;
  const std::uint64_t& now_;
  std::uint64_t wish_;
};

}  // namespace starling::agent
