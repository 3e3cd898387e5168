#include "agent/supervisor/transition_journal.hpp"

#include <gtest/gtest.h>

namespace starling::agent {
namespace {

TransitionJournal filled(std::size_t capacity, int count) {
  TransitionJournal journal("this", capacity);
  for (int i = 1; i <= count; ++i) {
    Transition transition;
    transition.attempt = i;
    journal.add(std::move(transition));
  }
  return journal;
}

struct ReplayCase {
  int count;            // transitions so far
  std::uint64_t after;  // what the observer has seen
  std::uint64_t first;  // replayed; 0: none
  bool gap;
};

TEST(TransitionJournal, ReplaysWithoutGapsOrSaysSo) {
  for (const ReplayCase& c : {
           ReplayCase{0, 0, 0, false},
           ReplayCase{3, 0, 1, false},
           ReplayCase{3, 3, 0, false},
           ReplayCase{4, 1, 2, false},
           ReplayCase{9, 5, 6, false},
           ReplayCase{9, 4, 6, true},   // 5 is no longer there
           ReplayCase{9, 12, 6, true},  // seen at an earlier agent
           ReplayCase{0, 1, 0, true},
       }) {
    const TransitionJournal::Replay replay = filled(4, c.count).after(c.after);
    EXPECT_EQ(replay.gap, c.gap) << c.count << " after " << c.after;
    std::uint64_t expected = c.first;
    for (const Transition& transition : replay.transitions) {
      EXPECT_EQ(transition.number, expected++);
      EXPECT_EQ(transition.attempt, static_cast<int>(transition.number));
    }
    const std::uint64_t last = c.first == 0 ? 0 : static_cast<std::uint64_t>(c.count) + 1;
    EXPECT_EQ(expected, last) << c.count << " after " << c.after;
  }
}

TEST(TransitionJournal, ANumberOfAnotherJournalIsAGapHoweverLongThisOneIs) {
  const TransitionJournal journal = filled(8, 7);
  EXPECT_FALSE(journal.after(5, "this").gap);
  EXPECT_EQ(journal.after(5, "this").transitions.size(), 2u);
  for (const std::uint64_t number : {0u, 5u, 7u, 9u}) {
    const TransitionJournal::Replay replay = journal.after(number, "that of the agent before");
    EXPECT_TRUE(replay.gap) << number;
    EXPECT_EQ(replay.transitions.size(), 7u) << number;
  }
  EXPECT_TRUE(filled(8, 0).after(0, "that of the agent before").gap);
}

}  // namespace
}  // namespace starling::agent
