#include "keeper/shutdown.hpp"

#include <gtest/gtest.h>

namespace starling::keeper {
namespace {

using Phase = Shutdown::Phase;

TEST(Shutdown, AnAgentThatIsAtItHasTheTimeThatItsChildrenNeed) {
  Shutdown shutdown;
  SteadyTime now{};
  shutdown.extend(now, Seconds(300));
  EXPECT_FALSE(shutdown.deadline()) << "nobody stops";
  shutdown.begin(0);
  shutdown.enter(Phase::agent_stops, now);
  EXPECT_EQ(shutdown.deadline(), now + Seconds(30));
  shutdown.extend(now, Seconds(310));
  EXPECT_EQ(shutdown.deadline(), now + Seconds(310));
  shutdown.extend(now, Seconds(1));
  EXPECT_EQ(shutdown.deadline(), now + Seconds(310)) << "what was promised stands";
  now += Seconds(300);
  shutdown.extend(now, Seconds(100'000));
  EXPECT_EQ(shutdown.deadline(), now + Shutdown::longest_extension) << "not for ever at once";
  shutdown.enter(Phase::children_stop, now);
  shutdown.extend(now, Seconds(300));
  EXPECT_EQ(shutdown.deadline(), now + Seconds(5)) << "its time is over";
}

}  // namespace
}  // namespace starling::keeper
