// Purpose: releases as ZIPs, for clients written from the documents: each is made once, from its tar, and
// kept beside it while it is among the newest. Owner: Repositories. Thread: the hub's; a thread of its own
// makes them, so that neither requests nor what is published waits for one. Lifetime: the Executor outlives
// it.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "hub/executor.hpp"

namespace starling::hub {

class ZipShelf {
 public:
  static constexpr std::size_t kept = 8;  // for each fleet
  static constexpr std::size_t max_waiting = 16;

  explicit ZipShelf(Executor& executor);
  ~ZipShelf();

  // The ZIP of a tar in a repository's folder. Errors: unavailable (too many wait), failed_precondition (the
  // disk is full), those of ZipStream. `done` is called on the hub's thread, once, unless the hub has ended.
  using Done = std::function<void(Result<std::filesystem::path>)>;
  void fetch(const std::filesystem::path& repository, const std::string& sha256, Done done);

 private:
  struct Job {
    std::filesystem::path tar, zip;
    Done done;
  };
  void run();
  bool stopping();
  Result<void> make(const Job& job);

  Executor& executor_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace starling::hub
