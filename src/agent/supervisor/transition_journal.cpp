#include "agent/supervisor/transition_journal.hpp"

#include <algorithm>
#include <utility>

namespace starling::agent {

void TransitionJournal::add(Transition transition) {
  transition.number = ++newest_;
  const std::size_t place = (newest_ - 1) % capacity_;
  if (place == ring_.size()) {
    ring_.push_back(std::move(transition));
  } else {
    ring_[place] = std::move(transition);
  }
}

TransitionJournal::Replay TransitionJournal::after(std::uint64_t number, std::string_view id) const {
  const std::uint64_t oldest = newest_ - ring_.size() + 1;
  Replay replay;
  const bool of_another = !id.empty() && id != id_;
  replay.gap = of_another || number > newest_ || number + 1 < oldest;
  for (std::uint64_t next = replay.gap ? oldest : number + 1; next <= newest_; ++next)
    replay.transitions.push_back(ring_[(next - 1) % capacity_]);
  return replay;
}

}  // namespace starling::agent
