// Purpose: the last transitions of all modules, numbered without gaps, so that an observer that was away is
// told what it missed, or that it missed too much. Owner: SupervisorCore. Thread: one. Lifetime: the core's;
// the numbers begin anew with each start of the agent, which is why a journal has an id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

  explicit TransitionJournal(std::string id, std::size_t capacity = default_capacity)
      : id_(std::move(id)), capacity_(capacity) {}

  void add(Transition transition);
  const std::string& id() const { return id_; }
  std::uint64_t newest() const { return newest_; }  // 0: none yet
  // All after the number of that journal. Another one's is a gap, and so is a number from the future where
  // nobody says which journal it is of.
  Replay after(std::uint64_t number, std::string_view id = {}) const;

 private:
  std::string id_;
  std::size_t capacity_;
  std::uint64_t newest_ = 0;
  std::vector<Transition> ring_;  // transition n at (n - 1) % capacity
};

}  // namespace starling::agent
