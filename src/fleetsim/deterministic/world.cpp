#include "fleetsim/deterministic/world.hpp"

namespace starling::fleetsim {

void World::run_until(Milliseconds until) {
  while (!events_.empty() && events_.top().at <= until) {
    // The queue gives only const access; the event is popped at once.
    Event event = std::move(const_cast<Event&>(events_.top()));
    events_.pop();
    clock_.advance(event.at - now_);
    now_ = event.at;
    event.work();
  }
  clock_.advance(until - now_);
  now_ = until;
}

void World::note(std::string_view who, std::string_view what) {
  std::string line = std::to_string(now_.count());
  line.append(" ").append(who).append(": ").append(what);
  stir(line);
  if (keep_trace_) trace_.push_back(std::move(line));
}

void World::stir(std::string_view text) {
  digest_ = sha256(digest_.hex().append(text));
}

}  // namespace starling::fleetsim
