#include "agent/supervisor/restart_policy.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace starling::agent {

template <std::size_t Size>
void RestartPolicy::Recent<Size>::add(SteadyTime time) {
  if (count == Size) {
    std::copy(std::next(times.begin()), times.end(), times.begin());
    --count;
  }
  times[count++] = time;
}

template <std::size_t Size>
bool RestartPolicy::Recent<Size>::full_within(SteadyTime now, Milliseconds window) const {
  return count == Size && now - times.front() <= window;
}

RetryPlan RestartPolicy::failed(SteadyTime now, FailureKind kind) {
  const bool good_run =
      ready_since_ && now - *ready_since_ >= std::max(least_good_run, 2 * history_.last_delay);
  ready_since_.reset();
  if (good_run) reset();
  before_ = history_;
  ++history_.failures;
  history_.recent.add(now);
  if (kind == FailureKind::out_of_memory) history_.out_of_memory.add(now);

  RetryPlan planned = plan(now, kind);
  planned.news = planned.pace != RetryPace::quick && planned.pace != pace_;
  history_.in_loop = planned.pace == RetryPace::slow;
  pace_ = planned.pace;
  return planned;
}

RetryPlan RestartPolicy::plan(SteadyTime now, FailureKind kind) {
  if (kind == FailureKind::hopeless) return {RetryPace::never, std::nullopt};
  if (kind == FailureKind::out_of_memory && history_.out_of_memory.full_within(now, memory_window)) {
    return {RetryPace::memory_hold, now + memory_hold};
  }
  if (history_.in_loop || history_.recent.full_within(now, loop_window)) {
    return {RetryPace::slow, now + slow_delay};
  }
  Milliseconds& delay = history_.last_delay;
  delay = delay == Milliseconds(0) ? first_delay : std::min(2 * delay, longest_delay);
  const auto spread = static_cast<std::uint64_t>(2 * delay.count() / 5);  // -20% to +20%
  const auto jitter = static_cast<Milliseconds::rep>(random_.below(spread + 1));
  return {RetryPace::quick, now + delay * 4 / 5 + Milliseconds(jitter)};
}

bool RestartPolicy::forgive() {
  if (std::exchange(forgiven_, true)) return false;
  history_ = before_;
  return true;
}

void RestartPolicy::reset() {
  history_ = before_ = History{};
  pace_ = RetryPace::quick;
  forgiven_ = false;
}

}  // namespace starling::agent
