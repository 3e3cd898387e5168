// Purpose: how long the keeper waits before it starts the agent again.
// Owner: AgentProcess. Thread: main. Lifetime: the keeper's.
#pragma once

#include <algorithm>
#include <utility>

#include "base/clock.hpp"

namespace starling::keeper {

class RestartBackoff {
 public:
  static constexpr Milliseconds first{200}, longest{60'000}, good_life{60'000};

  Milliseconds after_life_of(Milliseconds life) {
    if (life >= good_life) next_ = first;
    return std::exchange(next_, std::min(2 * next_, longest));
  }

 private:
  Milliseconds next_ = first;
};

}  // namespace starling::keeper
