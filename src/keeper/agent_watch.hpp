// Purpose: when an agent that asked to be watched is ended because it is not heard any more.
// Owner: AgentProcess. Thread: main. Lifetime: that of one process of the agent.
#pragma once

#include <algorithm>
#include <csignal>
#include <optional>

#include "base/clock.hpp"

namespace starling::keeper {

class AgentWatch {
 public:
  static constexpr Milliseconds longest_dying{10'000};  // of SIGABRT, with a core dump
  static constexpr Milliseconds late{1'000};
  static constexpr Milliseconds longest{86'400'000};

  // It lives, and says so again within this time; 0: it is not watched. An agent that is being ended cannot
  // change that any more.
  void expect(SteadyTime now, Milliseconds within) {
    if (aborted_) return;
    within_ = within;
    deadline_ = within > Milliseconds(0) ? std::optional<SteadyTime>(now + within) : std::nullopt;
  }
  std::optional<SteadyTime> deadline() const { return deadline_; }

  // The signal whose time has come, if any.
  std::optional<int> due(SteadyTime now) {
    if (!deadline_ || now < *deadline_) return std::nullopt;
    if (now - *deadline_ > late) {  // the board was suspended, or the keeper itself has not run
      deadline_ = now + within_;
      return std::nullopt;
    }
    if (aborted_) {
      deadline_.reset();
      return SIGKILL;
    }
    aborted_ = true;
    within_ = std::min(within_, longest_dying);
    deadline_ = now + within_;
    return SIGABRT;
  }

 private:
  Milliseconds within_{0};
  std::optional<SteadyTime> deadline_;
  bool aborted_ = false;
};

}  // namespace starling::keeper
