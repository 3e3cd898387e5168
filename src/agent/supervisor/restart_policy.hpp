// Purpose: when a module that failed is started again. Sans-I/O. Owner: SupervisedModule. Thread: one.
// Lifetime: the module's.
//
// A crash that repeats is waited for longer each time; one that comes after a good run counts as the first. A
// crash loop is tried slowly and for ever: nobody is there to start it by hand. What cannot get better by
// waiting is not tried again.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "agent/seeded_random.hpp"
#include "base/clock.hpp"

namespace starling::agent {

enum class FailureKind {
  ordinary,
  out_of_memory,
  hopeless,  // a missing file, no permission, exit 78: somebody has to act
};

enum class RetryPace {
  quick,
  slow,         // a crash loop
  memory_hold,  // it takes the memory that the others need
  never,
};

struct RetryPlan {
  RetryPace pace = RetryPace::never;
  std::optional<SteadyTime> at;  // nullopt: never
  bool news = false;             // the pace is slower than before: somebody should know
};

class RestartPolicy {
 public:
  static constexpr Milliseconds first_delay{200};
  static constexpr Milliseconds longest_delay{60'000};
  static constexpr Milliseconds least_good_run{60'000};  // or twice the last delay
  static constexpr std::size_t loop_failures = 5;
  static constexpr Milliseconds loop_window{120'000};
  static constexpr Milliseconds slow_delay{300'000};
  static constexpr std::size_t memory_failures = 3;
  static constexpr Milliseconds memory_window{600'000};
  static constexpr Milliseconds memory_hold{900'000};

  explicit RestartPolicy(SeededRandom random) : random_(random) {}

  void ready(SteadyTime now) { ready_since_ = now; }
  RetryPlan failed(SteadyTime now, FailureKind kind);
  // The last failure was not the module's own: it no longer counts, though what was planned for it stands.
  // Once for each good run: whether this was.
  bool forgive();
  // Somebody asked for it, or something about it changed.
  void reset();

  int failures() const { return history_.failures; }  // in a row
  RetryPace pace() const { return pace_; }            // of the last plan

 private:
  template <std::size_t Size>
  struct Recent {  // the newest times, oldest first
    std::array<SteadyTime, Size> times{};
    std::size_t count = 0;
    void add(SteadyTime time);
    bool full_within(SteadyTime now, Milliseconds window) const;
  };
  RetryPlan plan(SteadyTime now, FailureKind kind);

  struct History {
    int failures = 0;
    Milliseconds last_delay{0};
    Recent<loop_failures> recent;
    Recent<memory_failures> out_of_memory;
    bool in_loop = false;
  };
  SeededRandom random_;
  std::optional<SteadyTime> ready_since_;
  History history_;
  History before_;  // the last failure
  RetryPace pace_ = RetryPace::quick;
  bool forgiven_ = false;
};

}  // namespace starling::agent
