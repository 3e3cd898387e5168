// Purpose: a large file from a fetcher to the disk: goes on where it ended, and is checked while it comes.
// Owner: none. Thread: the io_context's, blocking on the disk in small pieces. Lifetime: one download; what
// is passed in outlives it.
#pragma once

#include "agent/update/fetcher.hpp"
#include "agent/update/partial_file.hpp"

namespace starling::agent {

// Errors: those of Fetcher and PartialFile. What has come is kept for the next time, unless it is damaged.
boost::asio::awaitable<Result<void>> download_file(Disk& disk, std::string to,
                                                   protocol::tuf::TargetFile expected, std::string name,
                                                   Fetcher& fetcher);

// Ends the transfer of what is not wanted any more: `now` has moved on from `wish`.
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
