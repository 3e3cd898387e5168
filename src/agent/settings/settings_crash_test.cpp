// The promise of the commit point: power lost between any two persistence steps leaves the old settings or
// the new ones, never a mixture, and whatever was told to the hub is still true after the restart.
#include <gtest/gtest.h>

#include "agent/settings_bench.hpp"

namespace starling::agent {
namespace {

const Values& in_force(const SettingsBench& bench) {
  return bench.core->values();
}

// A device with history: a confirmed document, a provisional one and a pending edit.
void prepare_device(SettingsBench& bench) {
  ASSERT_TRUE(bench.restart());
  bench.core->offer(make_update(bench.catalog, 2, {{"hotword.models", {"one"}}}));
  bench.pass(Seconds(60));
  bench.recorder.working = {"ears"};
  bench.core->offer(make_update(bench.catalog, 3, {{"hotword.models", {"two"}}, {"hotword.engine", "b"}}));
  bench.core->set("logger.level", "ERROR", [](const Result<void>&) {});
}

struct Operation {
  const char* name;
  std::function<void(SettingsBench&)> run;
  bool waits_for_disk = true;  // else it is in force whether or not it is durable
};

std::vector<Operation> operations() {
  return {
      {"a document",
       [](SettingsBench& b) {
         b.core->offer(
             make_update(b.catalog, 4, {{"hotword.models", {"three"}}, {"hotword.threshold", 0.9}}));
       }},
      {"a bulk edit",
       [](SettingsBench& b) {
         b.core->update_bulk({{"hotword.models", {"four"}}, {"hotword.threshold", 0.1}},
                             [](const Result<void>&) {});
       }},
      {"an edit that the hub accepts, and its document",
       [](SettingsBench& b) {
         protocol::ConfigProposed answer;
         answer.id = b.core->pending_edits().at(0).id;
         answer.accepted = true;
         answer.revision = 4;
         b.core->settle_edit(answer);
       }},
      {"a confirmation", [](SettingsBench& b) { b.pass(Seconds(60)); }},
      {"a revert", [](SettingsBench& b) { b.core->unhealthy("test"); }, false},
  };
}

void crash_everywhere(const Operation& operation, FakeDisk::Unsynced unsynced, std::uint64_t seed) {
  SettingsBench whole(seed, unsynced);
  prepare_device(whole);
  const Values old_values = in_force(whole);
  const std::uint64_t before = whole.disk.steps();
  operation.run(whole);
  const Values new_values = in_force(whole);
  const std::uint64_t steps = whole.disk.steps() - before;
  for (std::uint64_t step = 1; step <= steps; ++step) {
    SCOPED_TRACE("crash at step " + std::to_string(step));
    SettingsBench bench(seed, unsynced);
    prepare_device(bench);
    bench.disk.crash_after(step);
    operation.run(bench);
    ASSERT_TRUE(bench.disk.crashed());
    const bool told_new =
        operation.waits_for_disk && in_force(bench) == new_values && new_values != old_values;
    const auto restarted = bench.restart();
    ASSERT_TRUE(restarted) << restarted.error().message;
    const Values& now = in_force(bench);
    EXPECT_TRUE(now == old_values || now == new_values);
    if (told_new) {
      EXPECT_EQ(now, new_values) << "what was told is undone";
    }
    EXPECT_TRUE(bench.core->drift().empty());
    const bool on_trial = bench.core->state() == SettingsCore::State::provisional;
    const bool taken_back = !bench.core->status().errors.empty();
    if (!taken_back) {
      EXPECT_EQ(bench.core->witnesses(), on_trial ? ModuleNames{"ears"} : ModuleNames{});
    }
    EXPECT_EQ(taken_back, in_force(bench).at("hotword.models") == Json(JsonArray{"one"}));
    EXPECT_EQ(bench.file("config_override.json"), override_text(bench.catalog, now));
  }
}

TEST(Crash, AtEveryStepLeavesOldOrNewSettings) {
  for (const Operation& operation : operations()) {
    for (const auto unsynced :
         {FakeDisk::Unsynced::lost, FakeDisk::Unsynced::kept, FakeDisk::Unsynced::drawn}) {
      for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(std::string(operation.name) + ", unsynced " +
                     std::to_string(static_cast<int>(unsynced)) + ", seed " + std::to_string(seed));
        crash_everywhere(operation, unsynced, seed);
        if (testing::Test::HasFailure()) return;
        if (unsynced != FakeDisk::Unsynced::drawn) break;
      }
    }
  }
}

TEST(Crash, DuringARevertLeavesNobodyWithWhatWasTakenBack) {
  SettingsBench whole;
  prepare_device(whole);
  const std::uint64_t before = whole.disk.steps();
  whole.core->unhealthy("test");
  EXPECT_TRUE(whole.core->witnesses().empty());
  const std::uint64_t steps = whole.disk.steps() - before;
  for (std::uint64_t step = 1; step <= steps; ++step) {
    SCOPED_TRACE("crash at step " + std::to_string(step));
    SettingsBench bench;
    prepare_device(bench);
    bool told = false;
    bench.core->subscriptions().subscribe({"hotword"},
                                          [&](const SettingsChange&) { told = !bench.disk.crashed(); });
    bench.disk.crash_after(step);
    bench.core->unhealthy("test");
    for (int starts = 0; starts < 2; ++starts) {
      ASSERT_TRUE(bench.restart());
      EXPECT_TRUE(told || bench.core->witnesses() == ModuleNames{"ears"});
    }
    if (bench.core->state() == SettingsCore::State::provisional) continue;
    bench.core->witnesses_told();
    ASSERT_TRUE(bench.restart());
    EXPECT_TRUE(bench.core->witnesses().empty());
    EXPECT_EQ(bench.core->status().phase, protocol::Phase::reverted);
  }
}

// Nobody has edited anything: what is found in the override file may only be behind.
TEST(Crash, DuringTheFirstDocumentIsNoHandEdit) {
  for (const bool modules_first : {false, true}) {
    const auto receive = [&](SettingsBench& bench) {
      (void)bench.restart();
      if (modules_first) (void)bench.core->put_modules({{"m", JsonObject{{"enabled", true}}}}, {});
      bench.core->offer(make_update(bench.catalog, 2, {{"hotword.threshold", 0.7}}));
    };
    SettingsBench whole;
    receive(whole);
    for (std::uint64_t step = 1; step <= whole.disk.steps(); ++step) {
      SCOPED_TRACE("crash at step " + std::to_string(step));
      for (const auto unsynced : {FakeDisk::Unsynced::lost, FakeDisk::Unsynced::kept}) {
        SettingsBench bench(1, unsynced);
        bench.disk.crash_after(step);
        receive(bench);
        ASSERT_TRUE(bench.restart());
        EXPECT_TRUE(bench.core->pending_edits().empty());
        EXPECT_TRUE(bench.core->drift().empty());
      }
    }
  }
}

TEST(Crash, DuringTheFirstStartLeavesADeviceThatStarts) {
  SettingsBench whole;
  ASSERT_TRUE(whole.restart());
  const std::uint64_t steps = whole.disk.steps();
  for (std::uint64_t step = 1; step <= steps; ++step) {
    SettingsBench bench;
    bench.disk.crash_after(step);
    (void)bench.restart();
    ASSERT_TRUE(bench.restart()) << "step " << step;
    EXPECT_EQ(in_force(bench), in_force(whole));
  }
}

}  // namespace
}  // namespace starling::agent
