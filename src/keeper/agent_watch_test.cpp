#include "keeper/agent_watch.hpp"

#include <gtest/gtest.h>

namespace starling::keeper {
namespace {

using namespace std::chrono_literals;

constexpr SteadyTime begin{1h};

TEST(AgentWatch, EndsOnlyWhoAskedForItAndIsSilent) {
  AgentWatch watch;
  EXPECT_FALSE(watch.deadline());
  EXPECT_FALSE(watch.due(begin + 24h));
  watch.expect(begin, 120s);
  EXPECT_FALSE(watch.due(begin + 119s));
  watch.expect(begin + 119s, 120s);
  EXPECT_FALSE(watch.due(begin + 120s));
  watch.expect(begin + 200s, 0ms);
  EXPECT_FALSE(watch.deadline());
  EXPECT_FALSE(watch.due(begin + 24h));
}

TEST(AgentWatch, AbortsAndThenKills) {
  AgentWatch watch;
  watch.expect(begin, 120s);
  EXPECT_EQ(watch.due(begin + 120s), SIGABRT);
  watch.expect(begin + 121s, 120s);  // too late: it was read after the signal was sent
  EXPECT_EQ(watch.deadline(), begin + 130s);
  EXPECT_FALSE(watch.due(begin + 129s));
  EXPECT_EQ(watch.due(begin + 130s), SIGKILL);
  EXPECT_FALSE(watch.deadline()) << "there is no stronger signal";
}

TEST(AgentWatch, AShortOneIsNotLongInDying) {
  AgentWatch watch;
  watch.expect(begin, 500ms);
  EXPECT_EQ(watch.due(begin + 500ms), SIGABRT);
  EXPECT_EQ(watch.due(begin + 1s), SIGKILL);
}

TEST(AgentWatch, ABoardThatStoodStillIsNoSilence) {
  AgentWatch watch;
  watch.expect(begin, 120s);
  EXPECT_FALSE(watch.due(begin + 8h));
  EXPECT_EQ(watch.due(begin + 8h + 120s), SIGABRT);
}

}  // namespace
}  // namespace starling::keeper
