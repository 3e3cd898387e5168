// Purpose: the phases in which the keeper ends, and how long each may take.
// Owner: Keeper. Thread: main. Lifetime: the keeper's.
#pragma once

#include <algorithm>
#include <optional>

#include "base/clock.hpp"

namespace starling::keeper {

class Shutdown {
 public:
  // At once, for an agent that says that its children need it.
  static constexpr Milliseconds longest_extension{600'000};

  enum class Phase {
    none,
    agent_stops,    // it was asked to, and stops its modules
    children_stop,  // SIGTERM to what it has left
    all_killed,     // SIGKILL to what is left of that
    over,
  };

  Phase phase() const { return phase_; }
  int exit_status() const { return exit_status_; }
  bool has_begun() const { return phase_ != Phase::none; }
  void begin(int exit_status) { exit_status_ = exit_status; }
  void finish() { phase_ = Phase::over; }
  void enter(Phase phase, SteadyTime now) {
    phase_ = phase;
    deadline_ = now + row().lasts;
  }
  // The agent is at it. Counts while it stops.
  void extend(SteadyTime now, Milliseconds by) {
    if (phase_ != Phase::agent_stops) return;
    deadline_ = std::max<SteadyTime>(deadline_, now + std::min(by, longest_extension));
  }
  std::optional<SteadyTime> deadline() const { return has_begun() ? std::optional(deadline_) : std::nullopt; }
  Phase next() const { return row().then; }

 private:
  struct Row {
    Phase phase;
    Seconds lasts;
    Phase then;
  };
  // clang-format off
  static constexpr Row rows[] = {
      {Phase::none,          Seconds(0),  Phase::agent_stops},
      {Phase::agent_stops,   Seconds(30), Phase::children_stop},
      {Phase::children_stop, Seconds(5),  Phase::all_killed},
      {Phase::all_killed,    Seconds(5),  Phase::over},
      {Phase::over,          Seconds(0),  Phase::over},
  };
  // clang-format on
  const Row& row() const { return rows[static_cast<std::size_t>(phase_)]; }

  Phase phase_ = Phase::none;
  int exit_status_ = 0;
  SteadyTime deadline_{};
};

}  // namespace starling::keeper
