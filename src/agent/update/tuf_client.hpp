// Purpose: brings a device's copy of a TUF repository's metadata up to date, and finds and downloads what it
// signs, as the specification 1.0.x, section 5, has it; protocol/tuf/ decides what is trusted.
// Owner: the updater, or starling-tuf. Thread: the io_context's, blocking on the disk. Lifetime: `disk` and
// the fetchers outlive it.
//
// In `folder` lies each role's file as it came, without a version in its name: root.json, timestamp.json,
// snapshot.json, targets.json, and those of delegated roles, whose names are percent-encoded. A file is
// written only when it is trusted, each in one step, so that losing power in between leaves trusted ones
// only; and all are checked again when they are read.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "agent/disk.hpp"
#include "agent/update/fetcher.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocol/tuf/target_search.hpp"
#include "protocol/tuf/trusted_metadata.hpp"

namespace starling::agent {

class TufClient {
 public:
  TufClient(Disk& disk, std::string folder, Fetcher& metadata)
      : disk_(disk), folder_(std::move(folder)), metadata_(metadata) {}

  // Begins to trust this root, which came from outside. Errors: those of TrustedMetadata::from_root and of
  // Disk; already_exists, so that trust is never replaced by accident.
  static Result<void> trust(Disk& disk, std::string_view folder, std::string_view root);

  // `now` is the time that counts for expiry until the next refresh. Errors: not_found (no root is trusted,
  // or the repository lacks a file), those of TrustedMetadata, Fetcher and Disk. What was trusted before
  // stays.
  boost::asio::awaitable<Result<void>> refresh(WallTime now);

  // After a refresh. Errors: failed_precondition (before it), invalid_argument (a path that leads elsewhere),
  // not_found, those of refresh().
  boost::asio::awaitable<Result<protocol::tuf::TargetFile>> find(std::string target_path);
  // To the file `to` of that disk. Errors: failed_precondition (before a refresh), those of download_file().
  boost::asio::awaitable<Result<void>> download(std::string target_path,
                                                const protocol::tuf::TargetFile& target, Fetcher& targets,
                                                Disk& disk, std::string to);

 private:
  using Trusted = protocol::tuf::TrustedMetadata;
  using Targets = protocol::tuf::Targets;

  boost::asio::awaitable<Result<void>> update_root(Trusted& trusted);
  boost::asio::awaitable<Result<void>> update_timestamp(Trusted& trusted);
  boost::asio::awaitable<Result<void>> update_snapshot(Trusted& trusted);
  // The metadata of a targets role: the copy if it is the one that the snapshot names, else a new one.
  boost::asio::awaitable<Result<Targets>> targets_of(const Trusted& trusted,
                                                     const protocol::tuf::TargetSearch::Visit& visit);

  Result<void> keep_root(const Trusted& trusted, std::string_view bytes);
  Result<std::string> kept(std::string_view role, std::size_t max_bytes);
  Result<void> keep(std::string_view role, std::string_view bytes);

  Disk& disk_;
  std::string folder_;
  Fetcher& metadata_;
  std::optional<Trusted> trusted_;  // of the last refresh, if it succeeded
};

}  // namespace starling::agent
