#include "agent/supervisor/restart_policy.hpp"

#include <algorithm>
#include <iterator>

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
  const bool good_run = ready_since_ && now - *ready_since_ >= std::max(least_good_run, 2 * last_delay_);
  ready_since_.reset();
  if (good_run) reset();
  ++failures_;
  recent_.add(now);
  if (kind == FailureKind::out_of_memory) out_of_memory_.add(now);

  RetryPlan planned = plan(now, kind);
  planned.news = planned.pace != RetryPace::quick && planned.pace != pace_;
  pace_ = planned.pace;
  return planned;
}

RetryPlan RestartPolicy::plan(SteadyTime now, FailureKind kind) {
  if (kind == FailureKind::hopeless) return {RetryPace::never, std::nullopt};
  if (kind == FailureKind::out_of_memory && out_of_memory_.full_within(now, memory_window)) {
    return {RetryPace::memory_hold, now + memory_hold};
  }
  if (pace_ == RetryPace::slow || recent_.full_within(now, loop_window)) {
    return {RetryPace::slow, now + slow_delay};
  }
  last_delay_ = last_delay_ == Milliseconds(0) ? first_delay : std::min(2 * last_delay_, longest_delay);
  const auto spread = static_cast<std::uint64_t>(2 * last_delay_.count() / 5);  // -20% to +20%
  const auto jitter = static_cast<Milliseconds::rep>(random_.below(spread + 1));
  return {RetryPace::quick, now + last_delay_ * 4 / 5 + Milliseconds(jitter)};
}

void RestartPolicy::forgive() {
  failures_ = std::max(failures_ - 1, 0);
  recent_.drop_newest();
}

void RestartPolicy::reset() {
  failures_ = 0;
  last_delay_ = Milliseconds(0);
  recent_.count = 0;
  out_of_memory_.count = 0;
  pace_ = RetryPace::quick;
}

}  // namespace starling::agent
