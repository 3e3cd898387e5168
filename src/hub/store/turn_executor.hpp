// Purpose: an Executor whose turns are run by hand, for tests and benchmarks of what completes through one.
// Owner: the test. Thread: post() from any; the rest from the one that owns it. Lifetime: outlives its users.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "hub/executor.hpp"

namespace starling::hub {

class TurnExecutor final : public Executor {
 public:
  void post(std::function<void()> work) override {
    {
      const std::lock_guard guard(mutex_);
      turns_.push_back(std::move(work));
    }
    posted_.notify_one();
  }

  // Runs turns until `done()` holds; waits for other threads to post them. False: nothing came for a minute.
  template <typename Condition>
  bool run_until(Condition done) {
    while (!done()) {
      std::function<void()> turn;
      {
        std::unique_lock guard(mutex_);
        if (!posted_.wait_for(guard, std::chrono::minutes(1), [this] { return !turns_.empty(); }))
          return false;
        turn = std::move(turns_.front());
        turns_.pop_front();
      }
      turn();
    }
    return true;
  }

  // Runs what has been posted so far.
  void run_posted() {
    std::deque<std::function<void()>> turns;
    {
      const std::lock_guard guard(mutex_);
      turns.swap(turns_);
    }
    for (const auto& turn : turns)
      turn();
  }

 private:
  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> turns_;
};

}  // namespace starling::hub
