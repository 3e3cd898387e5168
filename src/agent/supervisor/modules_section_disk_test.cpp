// What the modules section makes of a disk that is full, or whose power is cut.
#include "agent/supervisor/modules_section_bench.hpp"

namespace starling::agent {
namespace {

using protocol::Phase;
using testing::IsEmpty;

TEST_F(ModulesSectionTest, AnAnswerThatTheDiskDidNotTakeDoesNotOverrideALaterSection) {
  toggle("recorder", true);
  settle("recorder");
  const auto answer = answer_to(section->pending_edits().at(0), true);
  bench.disk.full_after(0);
  section->settle_edit(answer);
  bench.disk.make_room();
  const auto later = update(answer.revision + 1, R"({"recorder":{"enabled":false}})");
  section->offer(later);
  EXPECT_FALSE(runner.enabled_modules["recorder"]);
  retry();
  EXPECT_FALSE(runner.enabled_modules["recorder"]);
  EXPECT_EQ(section->state().applied, later.hash);
  EXPECT_THAT(section->pending_edits(), IsEmpty());
}

TEST_F(ModulesSectionTest, WhatCouldNotBeEnabledIsNotAppliedWhileTheDiskIsFull) {
  const auto offer = update(4, R"({"clock":{"enabled":true},"recorder":{"enabled":true}})");
  section->offer(offer);
  bench.disk.full_after(0);
  fail_to_enable("clock");
  fail_to_enable("recorder");
  EXPECT_EQ(told().phase, Phase::provisional);
  bench.recorder.said.clear();
  bench.disk.make_room();
  retry();
  EXPECT_THAT(bench.recorder.said, testing::Not(testing::Contains("applied")));
  EXPECT_EQ(told().phase, Phase::refused);
  EXPECT_EQ(told().target, offer.hash);
  EXPECT_EQ(told().errors.size(), 2u);
}

TEST_F(ModulesSectionTest, AMendedModuleIsTriedAlthoughTheDiskIsFull) {
  const auto offer = update(4, R"({"recorder":{"enabled":true}})");
  section->offer(offer);
  bench.disk.full_after(0);
  fail_to_enable("recorder");
  section->try_again("recorder");
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
  bench.disk.make_room();
  retry();
  EXPECT_TRUE(runner.enabled_modules["recorder"]) << "the old reason is past";

  fail_to_enable("recorder");
  bench.disk.full_after(0);
  section->try_again("recorder");
  EXPECT_FALSE(runner.enabled_modules["recorder"]);
  bench.disk.make_room();
  retry();
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
  settle("recorder");
  EXPECT_EQ(told().phase, Phase::applied);
  EXPECT_EQ(told().running, offer.hash);
}

TEST_F(ModulesSectionTest, AHandEditIsTriedAgainOnlyWhereTheDiskDidNotTakeIt) {
  bench.disk.full_after(0);
  section->edited_by_hand("clock", true);
  bench.disk.make_room();
  retry();
  EXPECT_TRUE(runner.enabled_modules["clock"]);
  bool enabled = false;
  for (std::size_t i = 0; i < 2 * EditJournal::max_entries && !section->next_deadline(); ++i) {
    section->edited_by_hand("recorder", enabled = !enabled);
    settle("recorder");
    section->mark_edits_sent();
  }
  EXPECT_FALSE(section->next_deadline()) << "too many edits are not the disk's fault";
}

// Power lost at every persistence step leaves what was wanted before or after, and the hub can settle it.
struct PowerCut {
  const char* name;
  void (*act)(ModulesSectionTest&);
};

class ModulesSectionPowerCut : public testing::TestWithParam<std::tuple<int, FakeDisk::Unsynced>> {};

const PowerCut power_cuts[] = {
    {"a section",
     [](ModulesSectionTest& t) { t.section->offer(t.update(5, R"({"clock":{"enabled":true}})")); }},
    {"a toggle", [](ModulesSectionTest& t) { t.toggle("recorder", false); }},
    {"a revert", [](ModulesSectionTest& t) { t.section->reverted("recorder", "it crashes"); }},
    {"an accepted edit",
     [](ModulesSectionTest& t) {
       const auto edits = t.section->pending_edits();
       t.section->settle_edit(t.answer_to(edits.at(0), true));
     }},
};

struct PowerCutDevice final : ModulesSectionTest {
  explicit PowerCutDevice(FakeDisk::Unsynced unsynced) : ModulesSectionTest(unsynced) {
    section->offer(update(4, R"({"recorder":{"enabled":true}})"));
    settle("recorder");
    toggle("clock", true);
    settle("clock");
  }
  void TestBody() override {}
  std::string wanted() const {
    std::string text;
    for (const std::string& name : runner.names())
      text += name + "=" + (section->wanted(name) ? (*section->wanted(name) ? "on " : "off ") : "- ");
    return text;
  }
};

TEST_P(ModulesSectionPowerCut, LeavesTheOldOrTheNew) {
  const auto& [number, unsynced] = GetParam();
  const PowerCut& cut = power_cuts[number];
  PowerCutDevice whole(unsynced);
  const std::string before = whole.wanted();
  const std::uint64_t begun = whole.bench.disk.steps();
  cut.act(whole);
  const std::string after = whole.wanted();
  const std::uint64_t steps = whole.bench.disk.steps() - begun;
  ASSERT_GT(steps, 0u);
  for (std::uint64_t step = 1; step <= steps; ++step) {
    SCOPED_TRACE(std::string(cut.name) + ", step " + std::to_string(step));
    PowerCutDevice device(unsynced);
    device.bench.disk.crash_after(step);
    cut.act(device);
    device.start();
    EXPECT_THAT(device.wanted(), testing::AnyOf(before, after));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryStep, ModulesSectionPowerCut,
                         testing::Combine(testing::Range(0, static_cast<int>(std::size(power_cuts))),
                                          testing::Values(FakeDisk::Unsynced::lost, FakeDisk::Unsynced::kept,
                                                          FakeDisk::Unsynced::drawn)));

}  // namespace
}  // namespace starling::agent
