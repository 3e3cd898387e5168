#include "agent/supervisor/module_history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "agent/fake_disk.hpp"
#include "agent/settings/sealed_json.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;

struct ModuleHistoryTest : testing::Test {
  ModuleHistoryTest() { start(); }
  void start() { history = std::make_unique<ModuleHistory>(disk, clock, Logger()); }
  static DeathReport crash(const std::string& fingerprint = "0123456789abcdef") {
    DeathReport report;
    report.death_class = DeathClass::out_of_memory;
    report.confidence = Confidence::likely;
    report.text = "out of memory";
    report.evidence = {"oom_kill 1"};
    report.last_lines = {"one", "two"};
    report.fingerprint = fingerprint;
    report.release = "v1.2.3";
    return report;
  }
  std::vector<std::string> kinds(std::string_view module) const {  // that the hub may be told of
    std::vector<std::string> kinds;
    for (const DeathKind& kind : history->deaths(module).kinds)
      kinds.push_back(kind.newest.fingerprint + " " + std::to_string(kind.deaths));
    return kinds;
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
  EXPECT_EQ(history->deaths("a").all, 2) << "what is written is all";
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
  EXPECT_EQ(history->deaths("c").all, 0);
}

TEST_F(ModuleHistoryTest, ADeathIsWrittenAWhileLater) {
  const std::uint64_t steps = disk.steps();
  history->died("a", crash());
  clock.advance(Milliseconds(1));
  history->died("a", crash());
  EXPECT_EQ(history->next_deadline(), clock.steady() + ModuleHistory::pause - Milliseconds(1));
  EXPECT_EQ(disk.steps(), steps);
  EXPECT_EQ(history->deaths("a").all, 0) << "whom it is told must not see it fall after a kill";
  history->write();
  EXPECT_EQ(history->deaths("a").all, 2);
  EXPECT_FALSE(history->next_deadline());
  const std::uint64_t written = disk.steps();
  history->write();
  EXPECT_EQ(disk.steps(), written) << "there is nothing to write";
  start();
  EXPECT_EQ(history->deaths("a").all, 2);
}

TEST_F(ModuleHistoryTest, DeathsAreCountedByKind) {
  for (const char* fingerprint : {"x", "y", "x"})
    history->died("a", crash(fingerprint));
  history->died("b", crash("z"));
  EXPECT_THAT(kinds("a"), ElementsAre()) << "not before it is written";
  history->write();
  EXPECT_THAT(kinds("a"), ElementsAre("y 1", "x 2"));
  start();
  EXPECT_THAT(kinds("a"), ElementsAre("y 1", "x 2"));
  EXPECT_THAT(kinds("b"), ElementsAre("z 1"));
  history->died("a", crash("y"));
  EXPECT_THAT(kinds("a"), ElementsAre("y 1", "x 2"));
  history->write();
  EXPECT_THAT(kinds("a"), ElementsAre("x 2", "y 2"));
  const DeathReport newest = history->deaths("a").kinds.back().newest;
  EXPECT_EQ(newest.text, "out of memory");
  EXPECT_EQ(newest.release, "v1.2.3");
  EXPECT_THAT(newest.last_lines, ElementsAre()) << "of the last death only";
}

TEST_F(ModuleHistoryTest, TheNewestKindsAreKept) {
  for (const char kind : std::string("abcdefghai"))
    history->died("m", crash(std::string(1, kind)));
  history->write();
  start();
  EXPECT_THAT(kinds("m"), ElementsAre("c 1", "d 1", "e 1", "f 1", "g 1", "h 1", "a 2", "i 1"));
  EXPECT_EQ(history->deaths("m").all, 10);
}

TEST_F(ModuleHistoryTest, WhatAnAgentWroteThatKnewNoKindsIsRead) {
  JsonObject file;
  file["modules"] = JsonObject{{"a", JsonObject{{"deaths", 3}}}};
  disk.put(ModuleHistory::path, seal(std::move(file)));
  start();
  EXPECT_EQ(history->deaths("a").all, 3);
  EXPECT_THAT(kinds("a"), ElementsAre());
}

TEST_F(ModuleHistoryTest, WhatIsNoLongerSoIsForgotten) {
  history->died("a", crash());
  history->quarantined("b", "exit status 1");
  history->quarantined("b", "");
  history->forget("a");
  history->write();
  start();
  EXPECT_EQ(history->deaths("a").all, 0);
  EXPECT_EQ(history->of("b").quarantine, "");
}

TEST_F(ModuleHistoryTest, WhatCannotBeReadIsForgotten) {
  for (const char* garbage : {"", "{", "[]", R"({"modules":{"a":{"deaths":3}}})", "\xff"}) {
    disk.put(ModuleHistory::path, garbage);
    start();
    EXPECT_EQ(history->deaths("a").all, 0) << garbage;
  }
}

TEST_F(ModuleHistoryTest, StaysSmall) {
  DeathReport chatty = crash();
  chatty.last_lines.assign(20, std::string(8'000, 'x'));
  for (int number = 0; number < 256; ++number) {
    for (int kind = 0; kind < 10; ++kind)
      history->died("m" + std::to_string(number), crash(std::to_string(kind)));
    history->died("m" + std::to_string(number), chatty);
    history->quarantined("m" + std::to_string(number), std::string(4'000, 'y'));
  }
  history->write();
  EXPECT_LT(disk.content(ModuleHistory::path)->size(), 512u * 1024);
  start();
  for (int number = 0; number < 256; ++number) {
    const ModulePast past = history->of("m" + std::to_string(number));
    EXPECT_EQ(past.deaths.all, 11);
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
  EXPECT_EQ(history->deaths("a").all, 1);
  EXPECT_TRUE(history->next_deadline());
  disk.make_room();
  history->write();
  EXPECT_EQ(history->deaths("a").all, 2);
  start();
  EXPECT_EQ(history->of("a").deaths.all, 2);
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
