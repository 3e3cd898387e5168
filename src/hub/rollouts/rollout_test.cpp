#include "hub/rollouts/rollout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/rfc3339.hpp"

namespace starling::hub {
namespace {

using std::chrono::minutes;
using testing::HasSubstr;

WallTime at(std::string_view text) {
  return parse_rfc3339(text).value();
}

Stage share(int hundredths, bool needs_approval = false) {
  return {.share = hundredths, .selector = {}, .needs_approval = needs_approval};
}

RolloutRecord record_of(std::vector<Stage> stages) {
  RolloutRecord record;
  record.id = "r1";
  record.plan.author = "key:author";
  record.plan.values.push_back({{{protocol::LayerKind::fleet, ""}, "software.release"}, "v1.2.3"});
  record.plan.stages = std::move(stages);
  return record;
}

// A rollout whose steps are committed at once, and a fleet of devices.
class RolloutTest : public testing::Test {
 protected:
  void begin(RolloutRecord record, int devices = 40) {
    rollout.emplace(std::move(record));
    for (int i = 0; i < devices; ++i)
      connect(i, true);
  }
  static Device device(int number) {
    Device device;
    device.id = "device-" + std::to_string(number);
    device.labels = {{"room", number % 10 == 0 ? "lab" : "nursery"}};
    return device;
  }
  void connect(int number, bool connected) { rollout->put(device(number), connected); }
  bool admits(int number) const {
    const Device one = device(number);
    return rollout->record().gate().admits(one.id, one.labels);
  }
  void commit(const Result<RolloutRecord>& next) {
    ASSERT_TRUE(next) << next.error().message;
    rollout->adopt(*next);
  }
  // Whether there was a step.
  bool step() {
    const auto next = rollout->due(now);
    if (next) rollout->adopt(*next);
    return next.has_value();
  }
  void say(int number, Outcome::Kind kind, std::string reason = {}) {
    rollout->heard(device(number).id, {kind, now, std::move(reason)});
  }
  void all_admitted_do_it(int devices = 40) {
    for (int i = 0; i < devices; ++i)
      if (admits(i)) say(i, Outcome::Kind::done);
  }
  std::size_t admitted(int devices = 40) const {
    std::size_t count = 0;
    for (int i = 0; i < devices; ++i)
      count += admits(i) ? 1 : 0;
    return count;
  }

  WallTime now = at("2026-11-27T12:00:00Z");
  std::optional<Rollout> rollout;
};

TEST_F(RolloutTest, GoesFromStageToStageAsDevicesDoItAndStayWell) {
  begin(record_of({share(2000), share(5000), share(10000)}));
  EXPECT_EQ(admitted(), 0u);
  std::size_t before = 0;
  for (std::size_t stage = 1; stage <= 3; ++stage) {
    ASSERT_TRUE(step());
    EXPECT_EQ(rollout->record().open, stage);
    EXPECT_GT(admitted(), before);
    before = admitted();
    EXPECT_EQ(rollout->state(), RolloutState::settling);
    now += minutes(5);
    EXPECT_FALSE(step()) << "its devices have not said";
    all_admitted_do_it();
    EXPECT_EQ(rollout->state(), RolloutState::soaking);
    EXPECT_EQ(rollout->soaked_at(), now + minutes(30));
    now += minutes(29);
    EXPECT_FALSE(step());
    now += minutes(1);
  }
  EXPECT_EQ(before, 40u);
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->state(), RolloutState::finished);
  EXPECT_EQ(admitted(), 0u) << "the values are the layer's now, not the gate's";
  EXPECT_FALSE(step());
}

TEST_F(RolloutTest, AStageMayBeASelector) {
  Stage lab;
  lab.selector = protocol::Selector::parse("room=lab").value();
  begin(record_of({lab, share(10000)}));
  step();
  for (int i = 0; i < 40; ++i)
    EXPECT_EQ(admits(i), i % 10 == 0) << i;
}

TEST_F(RolloutTest, AShareThatHasNobodyDoesNotSoak) {
  begin(record_of({share(1), share(2), share(10000)}), 3);
  ASSERT_EQ(rollout->progress().stages()[0].devices + rollout->progress().stages()[1].devices, 0u);
  for (std::size_t stage = 1; stage <= 3; ++stage) {
    ASSERT_TRUE(step()) << "at once";
    EXPECT_EQ(rollout->record().open, stage);
  }
  all_admitted_do_it(3);
  EXPECT_FALSE(step()) << "those that there are do";
  EXPECT_EQ(rollout->soaked_at(), now + minutes(30));
}

TEST_F(RolloutTest, AShareThatAddsNobodyDoesNotSoakAgain) {
  begin(record_of({share(9000), share(9001), share(10000, true)}), 3);
  ASSERT_EQ(rollout->progress().stages()[1].devices, 0u);
  ASSERT_TRUE(step());
  all_admitted_do_it(3);
  now += minutes(30);
  ASSERT_TRUE(step());
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->record().open, 2u);
  EXPECT_EQ(rollout->state(), RolloutState::awaiting) << "an approval is asked for all the same";
}

TEST_F(RolloutTest, ALabelThatNobodyHasSoaks) {
  Stage attic;
  attic.selector = protocol::Selector::parse("room=attic").value();
  begin(record_of({attic, share(10000)}), 3);
  ASSERT_TRUE(step());
  EXPECT_FALSE(step());
  EXPECT_EQ(rollout->soaked_at(), now + minutes(30));
}

TEST_F(RolloutTest, TooManyFailuresTakeItBackBeforeTheNextStage) {
  RolloutRecord record = record_of({share(5000), share(10000)});
  record.plan.max_failures = 1000;
  record.plan.min_failures = 2;
  begin(record);
  step();
  const auto members = admitted();
  all_admitted_do_it();
  now += minutes(31);
  int failed = 0;
  for (int i = 0; i < 40; ++i) {
    if (!admits(i)) continue;
    say(i, Outcome::Kind::failed, "module 'voice' ended with status 3");
    ++failed;
    if (failed >= 2 && static_cast<std::size_t>(failed) * 10 > members) break;
    EXPECT_NE(rollout->due(now)->state, KeptRolloutState::stopped) << failed;
  }
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->state(), RolloutState::stopped);
  EXPECT_EQ(rollout->record().open, 1u);
  EXPECT_EQ(admitted(), 0u);
  EXPECT_THAT(rollout->record().why, HasSubstr("devices failed"));
}

TEST_F(RolloutTest, AnotherThanTheAuthorApproves) {
  begin(record_of({share(1000), share(10000, true)}));
  EXPECT_EQ(rollout->approve("key:other", now).error().code, ErrorCode::failed_precondition) << "too soon";
  step();
  all_admitted_do_it();
  now += minutes(30);
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->state(), RolloutState::awaiting);
  EXPECT_FALSE(step());
  EXPECT_EQ(rollout->approve("key:author", now).error().code, ErrorCode::permission_denied);
  commit(rollout->approve("key:other", now));
  EXPECT_EQ(rollout->approve("key:third", now).error().code, ErrorCode::already_exists);
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->record().open, 2u);
}

TEST_F(RolloutTest, StagesOpenInMaintenanceWindowsOnly) {
  RolloutRecord record = record_of({share(1000), share(10000)});
  MaintenanceWindow window;
  window.days.set(1);  // Mondays
  window.at = std::chrono::hours(9);
  window.length = minutes(60);
  window.zone = TimeZone::find("Europe/Berlin").value();
  record.plan.windows.push_back(window);
  begin(record);
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->state(), RolloutState::ready);
  EXPECT_FALSE(step());
  for (const auto& [time, open] : {std::pair("2026-11-30T07:59:59Z", 0u), {"2026-11-30T08:00:00Z", 1u}}) {
    now = at(time);
    step();
    EXPECT_EQ(rollout->record().open, open);
  }
  all_admitted_do_it();
  now = at("2026-11-30T09:00:00Z");  // closed again
  step();
  EXPECT_EQ(rollout->record().open, 1u);
  EXPECT_EQ(rollout->state(), RolloutState::ready);
}

TEST_F(RolloutTest, PausedItKeepsItsDevicesAndGoesNoFurther) {
  begin(record_of({share(1000), share(10000)}));
  step();
  const auto members = admitted();
  commit(rollout->pause("lunch"));
  EXPECT_EQ(rollout->state(), RolloutState::paused);
  all_admitted_do_it();
  now += minutes(60);
  EXPECT_FALSE(step());
  EXPECT_EQ(admitted(), members);
  EXPECT_EQ(rollout->pause("again").error().code, ErrorCode::failed_precondition);
  commit(rollout->resume());
  EXPECT_EQ(rollout->state(), RolloutState::soaking);
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->record().open, 2u);
}

TEST_F(RolloutTest, HeldBetweenStagesItStillNeedsItsApproval) {
  begin(record_of({share(10000, true)}));
  commit(rollout->pause(""));
  EXPECT_EQ(rollout->state(), RolloutState::held);
  commit(rollout->resume());
  EXPECT_FALSE(step());
  EXPECT_EQ(rollout->state(), RolloutState::awaiting);
}

TEST_F(RolloutTest, AbsentDevicesAreNeitherSuccessNorFailure) {
  for (const bool waits : {false, true}) {
    RolloutRecord record = record_of({share(10000)});
    record.plan.waits_for_absent = waits;
    begin(record, 4);
    for (int i = 0; i < 3; ++i)
      connect(i, false);
    connect(3, false);
    step();
    EXPECT_EQ(rollout->state(), RolloutState::settling) << "a stage of absent devices has shown nothing";
    connect(3, true);
    say(3, Outcome::Kind::done);
    EXPECT_EQ(rollout->state(), waits ? RolloutState::settling : RolloutState::soaking);
    connect(0, true);  // comes back
    EXPECT_EQ(rollout->state(), RolloutState::settling);
    connect(0, false);
    EXPECT_EQ(rollout->progress().counts(1), (StageCounts{4, 1, 0, 0, 3}));
  }
}

TEST_F(RolloutTest, ALateJoinerIsWaitedForAndSoaked) {
  begin(record_of({share(10000)}), 3);
  step();
  all_admitted_do_it(3);
  now += minutes(20);
  connect(77, true);
  EXPECT_TRUE(admits(77));
  EXPECT_EQ(rollout->state(), RolloutState::settling);
  say(77, Outcome::Kind::done);
  EXPECT_EQ(rollout->soaked_at(), now + minutes(30));
  rollout->remove(device(77).id);
  EXPECT_EQ(rollout->progress().counts(1).devices, 3u);
}

TEST_F(RolloutTest, AnAbortReturnsEveryDevice) {
  begin(record_of({share(5000), share(10000)}));
  step();
  EXPECT_GT(admitted(), 0u);
  commit(rollout->abort("wrong release"));
  EXPECT_EQ(admitted(), 0u);
  EXPECT_EQ(rollout->resume().error().code, ErrorCode::failed_precondition);
  EXPECT_EQ(rollout->abort("").error().code, ErrorCode::failed_precondition);
}

TEST_F(RolloutTest, SupersededItKeepsItsDevicesUntilItsHeirEnds) {
  begin(record_of({share(5000), share(10000)}));
  step();
  const auto members = admitted();
  commit(rollout->supersede("r2"));
  EXPECT_EQ(rollout->record().heir, "r2");
  all_admitted_do_it();
  now += std::chrono::days(1);
  EXPECT_FALSE(step());
  EXPECT_EQ(admitted(), members);
  commit(rollout->release("r2 has finished"));
  EXPECT_EQ(rollout->state(), RolloutState::superseded);
  EXPECT_EQ(admitted(), 0u);
}

TEST_F(RolloutTest, SupersededItNeitherFailsNorGoesOn) {
  begin(record_of({share(5000), share(10000)}));
  step();
  commit(rollout->supersede("r2"));
  for (int i = 0; i < 40; ++i)
    if (admits(i)) say(i, Outcome::Kind::failed, "the heir's release does not start");
  now += std::chrono::days(1);
  EXPECT_FALSE(step());
  EXPECT_EQ(rollout->state(), RolloutState::yielding);
}

TEST_F(RolloutTest, ItTakesUpItsStagesIfItsHeirIsTakenBack) {
  begin(record_of({share(5000), share(10000)}));
  step();
  const auto members = admitted();
  commit(rollout->supersede("r2"));
  commit(rollout->take_up());
  EXPECT_EQ(rollout->state(), RolloutState::settling);
  EXPECT_EQ(rollout->record().heir, "");
  EXPECT_EQ(admitted(), members);
  EXPECT_EQ(rollout->take_up().error().code, ErrorCode::failed_precondition) << "it goes on already";
  all_admitted_do_it();
  now += minutes(30);
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->record().open, 2u);
}

TEST_F(RolloutTest, WhatWasHeldByHandIsHeldStill) {
  begin(record_of({share(5000), share(10000)}));
  commit(rollout->pause("lunch"));
  commit(rollout->supersede("r2"));
  const auto read = RolloutRecord::from_json("r1", rollout->record().to_json());
  ASSERT_TRUE(read) << read.error().message;
  rollout->adopt(*read);
  commit(rollout->take_up());
  EXPECT_EQ(rollout->state(), RolloutState::held);
  commit(rollout->resume());
  step();
  commit(rollout->pause(""));
  commit(rollout->supersede("r3"));
  commit(rollout->take_up());
  EXPECT_EQ(rollout->state(), RolloutState::paused);
  EXPECT_FALSE(rollout->record().was_held);
}

TEST_F(RolloutTest, OneThatHadNobodyYetBeginsAnew) {
  begin(record_of({share(5000), share(10000)}));
  commit(rollout->supersede("r2"));
  commit(rollout->take_up());
  EXPECT_EQ(rollout->state(), RolloutState::awaiting);
  ASSERT_TRUE(step());
  EXPECT_EQ(rollout->record().open, 1u);
}

TEST_F(RolloutTest, AHubThatStartsAgainGoesOnWhereItWas) {
  begin(record_of({share(3000), share(10000)}));
  step();
  all_admitted_do_it();
  const auto soaked = rollout->soaked_at();
  const auto again = RolloutRecord::from_json("r1", rollout->record().to_json());
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->to_json(), rollout->record().to_json());
  const WallTime reported = now;
  now += minutes(10);
  begin(*again);
  for (int i = 0; i < 40; ++i)
    if (admits(i)) rollout->heard(device(i).id, {Outcome::Kind::done, reported, {}});
  EXPECT_EQ(rollout->soaked_at(), soaked);
}

TEST_F(RolloutTest, ReasonsAreGroupedByWhatTheyHaveInCommon) {
  begin(record_of({share(10000)}));
  step();
  say(1, Outcome::Kind::failed, "module 'voice' ended with status 3 after 1200 ms");
  say(2, Outcome::Kind::failed, "module 'leds' ended with status 12 after 7 ms");
  say(3, Outcome::Kind::failed, "no space left for 8f00aa12 on v1.2.3");
  const auto failures = rollout->progress().failures();
  ASSERT_EQ(failures.size(), 2u);
  const auto& modules = failures.at("module '*' ended with status # after # ms");
  EXPECT_EQ(modules.devices, 2u);
  EXPECT_EQ(modules.device, "device-1");
  EXPECT_TRUE(failures.contains("no space left for # on v#.#.#"));
}

TEST(RolloutPlan, SaysWhatIsWrong) {
  const auto body = [](std::string_view stages) {
    return parse_json(R"({"values":[{"layer":"fleet","key":"a.b","value":1}],"stages":)" +
                      std::string(stages) + "}")
        .value();
  };
  const struct {
    std::string_view stages, field;
  } cases[] = {
      {"[]", "/stages"},
      {R"([{"share":500}])", "/stages"},
      {R"([{"share":500},{"share":400},{"share":10000}])", "/stages"},
      {R"([{"share":0},{"share":10000}])", "/stages/0/share"},
      {R"([{"share":10001}])", "/stages/0/share"},
      {R"([{"share":500,"selector":"a=b"},{"share":10000}])", "/stages/0/share"},
      {R"([{"selector":"a=="},{"share":10000}])", "/stages/0/selector"},
      {R"([{"share":10000},{"selector":"a=b"}])", "/stages"},
  };
  for (const auto& each : cases) {
    const auto record = RolloutRecord::from_json("r", body(each.stages));
    ASSERT_FALSE(record) << each.stages;
    EXPECT_EQ(record.error().field, each.field) << each.stages;
  }
  EXPECT_TRUE(RolloutRecord::from_json("r", body(R"([{"share":10000}])")));
}

}  // namespace
}  // namespace starling::hub
