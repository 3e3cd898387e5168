// Purpose: reaps what the keeper has inherited as subreaper: grandchildren whose parents have ended.
// Owner: Keeper. Thread: main. Lifetime: the keeper's.
//
// The kernel shows the oldest zombie first. While a held child is one, it hides orphans behind it, which are
// then looked for in /proc, no more often than once a second.
#pragma once

#include <functional>
#include <optional>

#include "base/clock.hpp"

namespace starling::keeper {

class Orphans {
 public:
  using IsHeld = std::function<bool(pid_t)>;
  Orphans(const Clock& clock, IsHeld is_held) : clock_(clock), is_held_(std::move(is_held)) {}

  void reap();
  void sweep();
  std::optional<SteadyTime> next_sweep() const { return next_sweep_; }

 private:
  const Clock& clock_;
  IsHeld is_held_;
  std::optional<SteadyTime> next_sweep_;
};

}  // namespace starling::keeper
