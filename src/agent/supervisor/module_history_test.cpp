#include "agent/supervisor/module_history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "agent/fake_disk.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;

struct ModuleHistoryTest : testing::Test {
  ModuleHistoryTest() { start(); }
  void start() { history = std::make_unique<ModuleHistory>(disk, clock, Logger()); }
  static DeathReport crash() {
    DeathReport report;
    report.death_class = DeathClass::out_of_memory;
    report.confidence = Confidence::likely;
    report.text = "out of memory";
    report.evidence = {"oom_kill 1"};
    report.last_lines = {"one", "two"};
    report.fingerprint = "0123456789abcdef";
    report.release = "v1.2.3";
    return report;
  }

  ManualClock clock;
  FakeDisk disk;
  std::unique_ptr<ModuleHistory> history;
};

TEST_F(ModuleHistoryTest, IsKnownToTheNextAgent) {
  history->died("a", crash());
  history->died("a", crash());
  history->quarantined("b", "exit status 1");
  start();
  EXPECT_EQ(history->deaths("a"), 2) << "what is written is all";
  const ModulePast a = history->of("a");
  ASSERT_TRUE(a.last_death);
  EXPECT_EQ(a.last_death->death_class, DeathClass::out_of_memory);
  EXPECT_EQ(a.last_death->confidence, Confidence::likely);
  EXPECT_EQ(a.last_death->text, "out of memory");
  EXPECT_THAT(a.last_death->evidence, ElementsAre("oom_kill 1"));
  EXPECT_THAT(a.last_death->last_lines, ElementsAre("one", "two"));
  EXPECT_EQ(a.last_death->fingerprint, "0123456789abcdef");
  EXPECT_EQ(a.last_death->release, "v1.2.3") << "whichever runs now";
  EXPECT_EQ(history->of("b").quarantine, "exit status 1");
  EXPECT_FALSE(history->of("b").last_death);
  EXPECT_EQ(history->deaths("c"), 0);
}

TEST_F(ModuleHistoryTest, ADeathIsWrittenAWhileLater) {
  const std::uint64_t steps = disk.steps();
  history->died("a", crash());
  clock.advance(Milliseconds(1));
  history->died("a", crash());
  EXPECT_EQ(history->next_deadline(), clock.steady() + ModuleHistory::pause - Milliseconds(1));
  EXPECT_EQ(disk.steps(), steps);
  EXPECT_EQ(history->deaths("a"), 0) << "whom it is told must not see it fall after a kill";
  history->write();
  EXPECT_EQ(history->deaths("a"), 2);
  EXPECT_FALSE(history->next_deadline());
  const std::uint64_t written = disk.steps();
  history->write();
  EXPECT_EQ(disk.steps(), written) << "there is nothing to write";
  start();
  EXPECT_EQ(history->deaths("a"), 2);
}

TEST_F(ModuleHistoryTest, WhatIsNoLongerSoIsForgotten) {
  history->died("a", crash());
  history->quarantined("b", "exit status 1");
  history->quarantined("b", "");
  history->forget("a");
  history->write();
  start();
  EXPECT_EQ(history->deaths("a"), 0);
  EXPECT_EQ(history->of("b").quarantine, "");
}

TEST_F(ModuleHistoryTest, WhatCannotBeReadIsForgotten) {
  for (const char* garbage : {"", "{", "[]", R"({"modules":{"a":{"deaths":3}}})", "\xff"}) {
    disk.put(ModuleHistory::path, garbage);
    start();
    EXPECT_EQ(history->deaths("a"), 0) << garbage;
  }
}

TEST_F(ModuleHistoryTest, StaysSmall) {
  DeathReport chatty = crash();
  chatty.last_lines.assign(20, std::string(8'000, 'x'));
  for (int number = 0; number < 256; ++number) {
    history->died("m" + std::to_string(number), chatty);
    history->quarantined("m" + std::to_string(number), std::string(4'000, 'y'));
  }
  history->write();
  EXPECT_LT(disk.content(ModuleHistory::path)->size(), 512u * 1024);
  start();
  for (int number = 0; number < 256; ++number) {
    const ModulePast past = history->of("m" + std::to_string(number));
    EXPECT_EQ(past.deaths, 1);
    EXPECT_EQ(past.quarantine, std::string(512, 'y'));
  }
}

TEST_F(ModuleHistoryTest, OneThatCannotBeWrittenIsTriedAgain) {
  disk.crash_after(1);
  history->quarantined("a", "exit status 1");
  EXPECT_TRUE(history->next_deadline());
  disk.restore_power();
  history->write();
  start();
  EXPECT_EQ(history->of("a").quarantine, "exit status 1");
  EXPECT_FALSE(history->next_deadline());
}

TEST_F(ModuleHistoryTest, OnAFullDiskNoDeathCountsThatAPowerCutWouldForget) {
  history->died("a", {});
  history->write();
  disk.full_after(0);
  history->died("a", {});
  history->write();
  EXPECT_EQ(history->deaths("a"), 1);
  EXPECT_TRUE(history->next_deadline());
  disk.make_room();
  history->write();
  EXPECT_EQ(history->deaths("a"), 2);
  start();
  EXPECT_EQ(history->of("a").deaths, 2);
}

TEST_F(ModuleHistoryTest, APowerCutOrAFullDiskLeavesTheOldOrTheNew) {
  for (std::uint64_t step = 1; step <= 6; ++step) {
    disk = FakeDisk(step, FakeDisk::Unsynced::drawn);
    start();
    history->quarantined("a", "the old");
    disk.crash_after(step);
    history->quarantined("a", "the new");
    disk.restore_power();
    start();
    EXPECT_THAT(history->of("a").quarantine, testing::AnyOf("the old", "the new")) << step;
    disk.full_after(step);
    history->quarantined("a", "the newest");
    start();
    EXPECT_THAT(history->of("a").quarantine, testing::AnyOf("the old", "the new", "the newest")) << step;
    disk.make_room();
  }
}

}  // namespace
}  // namespace starling::agent
