// Purpose: finds out in which form a release is had best: asks the hub which there are, waits for one that is
// being made, and looks first whether the release that a delta builds on is whole.
// Owner: Updater. Thread: the io_context's, blocking on the disk in pieces. Lifetime: one download; what is
// passed in outlives it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>

#include "agent/disk.hpp"
#include "agent/update/download_choice.hpp"
#include "agent/update/fetcher.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

namespace starling::agent {

class ReleaseFetch {
 public:
  // false: it is not wanted any more.
  using Sleep = std::function<boost::asio::awaitable<bool>(Milliseconds time)>;

  ReleaseFetch(Disk& disk, Fetcher& encodings, Sleep sleep, Logger log)
      : disk_(disk), encodings_(encodings), sleep_(std::move(sleep)), log_(log) {}

  // Errors: those of Fetcher and of reading the offers, unavailable (not wanted any more).
  boost::asio::awaitable<Result<DownloadChoice>> choose(ReleaseTarget target, DownloadWish wish);

  // Where the hub has it, below /tuf/encodings/.
  static std::string name_of(const ReleaseTarget& target, const protocol::EncodingOffer& offer);

 private:
  boost::asio::awaitable<Result<protocol::EncodingOffers>> ask(const ReleaseTarget& target,
                                                               const DownloadWish& wish);
  boost::asio::awaitable<Result<void>> check(Digest release);

  Disk& disk_;
  Fetcher& encodings_;
  Sleep sleep_;
  Logger log_;
};

}  // namespace starling::agent
