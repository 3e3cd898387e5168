// Purpose: the virtual clock and everything that is going to happen on it. Two runs of one seed happen alike.
// Owner: Simulation. Thread: one. Lifetime: outlives all that schedules on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/seeded_random.hpp"
#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "hub/executor.hpp"

namespace starling::fleetsim {

class World {
 public:
  explicit World(std::uint64_t seed) : random_(seed) {}

  const Clock& clock() const { return clock_; }
  Milliseconds now() const { return now_; }
  agent::SeededRandom& random() { return random_; }
  bool chance(unsigned percent) { return random_.below(100) < percent; }
  Milliseconds between(std::int64_t least_ms, std::int64_t most_ms) {
    const auto span = static_cast<std::uint64_t>(most_ms - least_ms + 1);
    return Milliseconds(least_ms + static_cast<std::int64_t>(random_.below(span)));
  }

  // Equal times happen in the order in which they were asked for.
  void after(Milliseconds delay, std::function<void()> work) {
    events_.push({now_ + delay, ++order_, std::move(work)});
  }
  // Lets everything happen up to `until`, then stands there.
  void run_until(Milliseconds until);

  // What happened, for whoever looks for the cause; its digest is what two runs of a seed must share.
  void note(std::string_view who, std::string_view what);
  // Goes into the digest only.
  void stir(std::string_view text);
  Digest trace_digest() const { return digest_; }
  void keep_trace() { keep_trace_ = true; }
  const std::vector<std::string>& trace() const { return trace_; }

 private:
  struct Event {
    Milliseconds at;
    std::uint64_t order;
    std::function<void()> work;
    bool operator>(const Event& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  ManualClock clock_;
  Milliseconds now_{0};
  agent::SeededRandom random_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  Digest digest_;
  bool keep_trace_ = false;
  std::vector<std::string> trace_;
};

// The turns of one process: they end with it.
class WorldExecutor final : public hub::Executor {
 public:
  explicit WorldExecutor(World& world) : world_(world) {}
  void post(std::function<void()> work) override {
    world_.after(Milliseconds(1), [alive = std::weak_ptr(alive_), work = std::move(work)] {
      if (!alive.expired()) work();
    });
  }

 private:
  World& world_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace starling::fleetsim
