#include "agent/supervisor/open_alerts.hpp"

#include <gtest/gtest.h>

#include <set>

namespace starling::agent {
namespace {

using Kind = SupervisorAlert::Kind;

std::string texts(const OpenAlerts& alerts) {
  std::string all;
  for (const Json& alert : alerts.told())
    all += std::string(alert.at("text").as_string()) + ";";
  return all;
}

TEST(OpenAlerts, EndWhenAllTheirModulesAreWell) {
  OpenAlerts alerts;
  alerts.add({Kind::crash_loop, {"player"}, "player loops"}, WallTime{});
  alerts.add({Kind::died_together, {"player", "recorder"}, "both"}, WallTime{});
  std::set<std::string> well{"recorder"};
  const auto is_in = [&](Kind, const std::string& module) { return well.contains(module); };
  EXPECT_EQ(alerts.end(is_in), 0u);
  EXPECT_EQ(texts(alerts), "player loops;both;");
  well.insert("player");
  EXPECT_EQ(alerts.end(is_in), 2u);
  EXPECT_EQ(texts(alerts), "");
}

TEST(OpenAlerts, TellTheNewestOfAKindAndOfAllSoMany) {
  OpenAlerts alerts;
  alerts.add({Kind::crash_loop, {"player"}, "first"}, WallTime{});
  alerts.add({Kind::needs_help, {"player"}, "other"}, WallTime{});
  alerts.add({Kind::crash_loop, {"player"}, "again\x1b[31m"}, WallTime{Milliseconds{5}});
  EXPECT_EQ(texts(alerts), "other;again [31m;");
  EXPECT_EQ(
      alerts.told().back(),
      (JsonObject{{"kind", "crash_loop"}, {"modules", {"player"}}, {"text", "again [31m"}, {"at_ms", 5}}));
  for (std::size_t i = 0; i < 2 * OpenAlerts::most; ++i)
    alerts.add({Kind::needs_help, {"module-" + std::to_string(i)}, std::to_string(i)}, WallTime{});
  EXPECT_EQ(alerts.told().size(), OpenAlerts::most);
}

TEST(OpenAlerts, OneThatTellsOfMoreModulesTakesThePlaceOfOneThatToldOfSome) {
  OpenAlerts alerts;
  alerts.add({Kind::died_together, {"a", "b", "d"}, "three"}, WallTime{});
  alerts.add({Kind::died_together, {"a", "b", "c", "d"}, "four"}, WallTime{});
  alerts.add({Kind::died_together, {"a", "b", "e"}, "others"}, WallTime{});
  EXPECT_EQ(texts(alerts), "four;others;");
}

TEST(OpenAlerts, EachIsOverWithItsCause) {
  const SteadyTime now{Milliseconds{100'000}};
  ModuleStatus module;
  module.wanted = true;
  module.state = ModuleState::crashed;
  const struct {
    Kind kind;
    RetryPace pace;
  } pairs[] = {{Kind::crash_loop, RetryPace::slow},
               {Kind::memory_hold, RetryPace::memory_hold},
               {Kind::needs_help, RetryPace::never}};
  for (const auto& [kind, of_it] : pairs) {
    for (const RetryPace pace :
         {RetryPace::quick, RetryPace::slow, RetryPace::memory_hold, RetryPace::never}) {
      module.pace = pace;
      EXPECT_EQ(is_over(kind, module, now), pace != of_it) << to_string(kind) << static_cast<int>(pace);
    }
  }
  module.pace = RetryPace::quick;
  EXPECT_FALSE(is_over(Kind::died_together, module, now)) << "it does not run";
  module.wanted = false;
  EXPECT_TRUE(is_over(Kind::died_together, module, now));
  module.unkillable = true;
  EXPECT_FALSE(is_over(Kind::needs_help, module, now)) << "wanted or not, it does not end";
}

TEST(OpenAlerts, AModuleIsWellWhenItNeedNotRunOrHasRunForLong) {
  const SteadyTime now{Milliseconds{100'000}};
  ModuleStatus module;
  EXPECT_TRUE(is_well(module, now)) << "nobody wants it";
  module.quarantine = "it was not ready in time";
  EXPECT_FALSE(is_well(module, now));
  module = {};
  module.wanted = true;
  module.state = ModuleState::idle;
  module.since = now - RestartPolicy::least_good_run;
  EXPECT_TRUE(is_well(module, now));
  module.since = now - Milliseconds{59'999};
  EXPECT_FALSE(is_well(module, now));
  module.state = ModuleState::crashed;
  module.since = SteadyTime{};
  EXPECT_FALSE(is_well(module, now));
}

}  // namespace
}  // namespace starling::agent
