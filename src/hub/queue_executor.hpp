// Purpose: an Executor whose turns are taken by hand: tests and the fleet simulator decide when work runs.
// Owner: the test or the simulator. Thread: one. Lifetime: outlives the core.
#pragma once

#include <deque>
#include <functional>
#include <utility>

#include "hub/executor.hpp"

namespace starling::hub {

class QueueExecutor final : public Executor {
 public:
  void post(std::function<void()> work) override { work_.push_back(std::move(work)); }

  bool idle() const { return work_.empty(); }
  void run_one() {
    const auto work = std::move(work_.front());
    work_.pop_front();
    work();
  }
  void run_all() {
    while (!idle())
      run_one();
  }
  // What a crash does to work that had not run.
  void drop_all() { work_.clear(); }

 private:
  std::deque<std::function<void()>> work_;
};

}  // namespace starling::hub
