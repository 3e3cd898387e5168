// Purpose: releases as ZIPs, for clients written from the documents: each is made once, from its tar, and
// kept beside it while it is among the newest. Owner: Repositories. Thread: the hub's; one of its own makes
// them, so that neither requests nor what is published waits for one. Lifetime: the Executor outlives it;
// destroyed before the io_context ends.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "hub/executor.hpp"

namespace starling::hub {

class ZipShelf {
 public:
  static constexpr std::size_t kept = 8;  // for each fleet
  static constexpr std::size_t max_waiting = 16;

  explicit ZipShelf(Executor& executor) : executor_(executor) {}
  ~ZipShelf() { stop(); }

  // The ZIP of a tar in a repository's folder. Errors: unavailable (too many wait, or it was stopped),
  // failed_precondition (the disk is full), those of ZipStream. `done` is called on the hub's thread, once,
  // unless the hub has ended.
  using Done = std::function<void(Result<std::filesystem::path>)>;
  void fetch(const std::filesystem::path& repository, const std::string& sha256, Done done);

  // The one that is being made is given up, and none is made any more.
  void stop() { stopping_.request_stop(); }

 private:
  void hand_over(const std::filesystem::path& zip, const Result<void>& made);

  Executor& executor_;
  std::map<std::filesystem::path, std::vector<Done>> awaited_;  // who waits for each that is not there yet
  std::stop_source stopping_;
  boost::asio::thread_pool worker_{1};  // ends first
};

}  // namespace starling::hub
