// Purpose: the last transitions of all modules, numbered without gaps, so that an observer that was away is
// told what it missed, or that it missed too much. Owner: SupervisorCore. Thread: one. Lifetime: the core's;
// the numbers begin anew with each start of the agent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/supervisor/module_state.hpp"
#include "base/clock.hpp"

namespace starling::agent {

struct Transition {
  std::uint64_t number = 0;  // 1, 2, 3, ...
  WallTime at{};
  std::string module;
  ModuleState from = ModuleState::disabled;
  ModuleState to = ModuleState::disabled;  // equal: it settled (what is `enabled`), without changing state
  Cause cause = Cause::none;
  std::string detail;  // for people; may be empty
  std::uint64_t epoch = 0;
  int attempt = 0;
  bool enabled = false;
  bool settled = false;                // `enabled` is what it will stay without another command
  std::optional<SteadyTime> deadline;  // of `to`, when it is transient
  std::optional<SteadyTime> next_retry;
};

class TransitionJournal {
 public:
  static constexpr std::size_t default_capacity = 256;

  struct Replay {
    std::vector<Transition> transitions;  // oldest first
    bool gap = false;                     // some are no longer here: read the modules' states anew
  };

  explicit TransitionJournal(std::size_t capacity = default_capacity) : capacity_(capacity) {}

  void add(Transition transition);
  std::uint64_t newest() const { return newest_; }  // 0: none yet
  // All after the number; a number from the future (of an earlier agent) is a gap.
  Replay after(std::uint64_t number) const;

 private:
  std::size_t capacity_;
  std::uint64_t newest_ = 0;
  std::vector<Transition> ring_;  // transition n at (n - 1) % capacity
};

}  // namespace starling::agent
