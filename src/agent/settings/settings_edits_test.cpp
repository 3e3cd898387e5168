// Device-side edits: set and update_bulk, the journal, settlement by the hub, the override file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/settings_bench.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string done_text;
SettingsCore::EditDone done() {
  done_text = "(not called)";
  return [](const Result<void>& result) { done_text = result ? "ok" : result.error().message; };
}

TEST(DeviceEdits, AreInForceAtOnceAndPendingForTheHub) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->set("HOTWORD_THRESHOLD", 0.8, done());
  EXPECT_EQ(done_text, "ok");
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.8));
  EXPECT_THAT(bench.recorder.said, ElementsAre("prepare hotword.threshold", "commit", "edits pending"));
  ASSERT_EQ(bench.core->pending_edits().size(), 1u);
  EXPECT_EQ(bench.core->pending_edits()[0].from, Json(0.5));
  EXPECT_EQ(bench.core->pending_edits()[0].to, Json(0.8));
  EXPECT_EQ(bench.core->running_hash(), default_document(bench.catalog).hash());
  EXPECT_EQ(bench.file("config_override.json"), "{\n  \"HOTWORD_THRESHOLD\": 0.8\n}\n");
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.8));
  EXPECT_EQ(bench.core->pending_edits().size(), 1u);
}

TEST(DeviceEdits, AreRefusedWholeWithTheReason) {
  struct Case {
    const char* values;
    const char* why;
  };
  for (const Case& one : {Case{R"({"hotword.threshold": 0.8, "hotword.engine": "b"})", "only the hub"},
                          Case{R"({"hotword.threshold": 9})", "hotword.threshold"},
                          Case{R"({"HOTWORD_TRESHOLD": 0.8})", "HOTWORD_THRESHOLD"}}) {
    SCOPED_TRACE(one.values);
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    bench.core->update_bulk(parse_json(one.values)->get_object(), done());
    EXPECT_THAT(done_text, HasSubstr(one.why));
    EXPECT_EQ(bench.value("hotword.threshold"), Json(0.5));
    EXPECT_TRUE(bench.core->pending_edits().empty());
  }
}

TEST(DeviceEdits, AModuleMayRefuseThem) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.recorder.modules_answer = true;
  bench.core->set("hotword.models", {"missing"}, done());
  bench.recorder.disagree();
  EXPECT_THAT(done_text, HasSubstr("no such file"));
  EXPECT_TRUE(bench.core->pending_edits().empty());
}

TEST(DeviceEdits, OfOneKeyAreOneProposalUntilTheHubHasSeenIt) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->set("hotword.threshold", 0.6, done());
  bench.core->set("hotword.threshold", 0.7, done());
  ASSERT_EQ(bench.core->pending_edits().size(), 1u);
  EXPECT_EQ(bench.core->pending_edits()[0].from, Json(0.5));
  bench.core->mark_edits_sent();
  bench.core->set("hotword.threshold", 0.8, done());
  ASSERT_EQ(bench.core->pending_edits().size(), 2u);
  EXPECT_EQ(bench.core->pending_edits()[1].from, Json(0.7));
}

TEST(DeviceEdits, WhatTheHubHasSeenIsNotChangedByAnEditInWork) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->set("hotword.threshold", 0.6, done());
  bench.recorder.modules_answer = true;
  bench.core->set("hotword.threshold", 0.7, done());
  bench.core->mark_edits_sent();  // while the modules think about it
  bench.recorder.agree();
  bench.recorder.acknowledge();
  const auto edits = bench.core->pending_edits();
  ASSERT_EQ(edits.size(), 2u);
  EXPECT_EQ(edits[0].to, Json(0.6));
  EXPECT_EQ(edits[1].from, Json(0.6));
  EXPECT_EQ(edits[1].to, Json(0.7));
  EXPECT_NE(edits[0].id, edits[1].id);
}

protocol::ConfigProposed answer(const SettingsBench& bench, bool accepted, std::int64_t revision) {
  protocol::ConfigProposed proposed;
  proposed.id = bench.core->pending_edits().at(0).id;
  proposed.accepted = accepted;
  proposed.revision = revision;
  return proposed;
}

TEST(DeviceEdits, OnceAcceptedTheyHoldUntilTheirDocumentRuns) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->set("hotword.threshold", 0.8, done());
  bench.core->settle_edit(answer(bench, true, 5));
  EXPECT_TRUE(bench.core->pending_edits().empty());
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.8));
  bench.core->offer(make_update(bench.catalog, 4, {{"logger.level", "DEBUG"}}));  // not its document yet
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.8));
  bench.core->offer(make_update(bench.catalog, 6, {{"hotword.threshold", 0.9}}));
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.9));
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.9));
}

TEST(DeviceEdits, AnAcceptedOneThatNoDocumentContainsEnds) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->set("hotword.threshold", 0.8, done());
  bench.core->settle_edit(answer(bench, true, 5));
  bench.pass(Seconds(60));
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.5));
}

TEST(DeviceEdits, ALostConflictTakesThemBack) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->set("hotword.threshold", 0.8, done());
  bench.core->settle_edit(answer(bench, false, 0));
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.5));
  EXPECT_EQ(bench.file("config_override.json"), "{}\n");
}

TEST(OverrideFile, AHandEditBecomesAProposal) {
  for (const bool running : {true, false}) {
    SCOPED_TRACE(running ? "found while running" : "found at start");
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    bench.disk.put("config_override.json", R"({"HOTWORD_THRESHOLD": 0.9, "logger.level": "ERROR"})");
    if (running) {
      bench.core->check_override();
    } else {
      ASSERT_TRUE(bench.restart());
    }
    EXPECT_EQ(bench.value("hotword.threshold"), Json(0.9));
    EXPECT_EQ(bench.value("logger.level"), Json("ERROR"));
    EXPECT_EQ(bench.core->pending_edits().size(), 2u);
    EXPECT_TRUE(bench.core->drift().empty());
    EXPECT_EQ(bench.file("config_override.json"),
              "{\n  \"HOTWORD_THRESHOLD\": 0.9,\n  \"LOG_LEVEL\": \"ERROR\"\n}\n");
  }
}

TEST(OverrideFile, OneThatCannotBeUsedIsKeptAsideAndRewritten) {
  for (const std::string content :
       {"{", "[]", R"({"HOTWORD_THRESHOLD": 9})", R"({"NO_SUCH": 1})", R"({"hotword.engine": "b"})"}) {
    SCOPED_TRACE(content);
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    bench.core->offer(make_update(bench.catalog, 2, {{"logger.level", "DEBUG"}}));
    bench.disk.put("config_override.json", content);
    bench.core->check_override();
    EXPECT_EQ(bench.file("config_override.json"), "{\n  \"LOG_LEVEL\": \"DEBUG\"\n}\n");
    EXPECT_EQ(bench.file("config_override.rejected.json"), content);
    ASSERT_EQ(bench.core->drift().size(), 1u);
    EXPECT_EQ(bench.core->drift()[0].kind, "local_edit");
    EXPECT_FALSE(bench.core->report().contains("drift")) << "the device has what it should have";
    EXPECT_TRUE(bench.core->report().contains("put_right"));
    EXPECT_TRUE(bench.core->pending_edits().empty());
    bench.pass(Seconds(600));
    EXPECT_TRUE(bench.core->drift().empty());
  }
}

TEST(OverrideFile, OneThatCannotBePutRightIsDriftUntilItIs) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.disk.put("config_override.json", "{");
  bench.disk.make_fail("config_override.json.new", ErrorCode::unavailable);
  bench.core->check_override();
  EXPECT_TRUE(bench.core->report().contains("drift"));
  bench.disk.mend();
  bench.core->check_override();
  EXPECT_FALSE(bench.core->report().contains("drift"));
  EXPECT_TRUE(bench.core->report().contains("put_right"));
}

TEST(OverrideFile, AHandEditSurvivesADocumentThatComesAtTheSameTime) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.disk.put("config_override.json", R"({"HOTWORD_THRESHOLD": 0.9})");
  bench.core->offer(make_update(bench.catalog, 2, {{"logger.level", "DEBUG"}}));
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.9));
  EXPECT_EQ(bench.value("logger.level"), Json("DEBUG"));
  ASSERT_EQ(bench.core->pending_edits().size(), 1u);
  EXPECT_EQ(bench.core->pending_edits()[0].key, "hotword.threshold");
}

TEST(OverrideFile, ACrashBeforeItIsRewrittenIsNoHandEdit) {
  SettingsBench crashed;
  ASSERT_TRUE(crashed.restart());
  crashed.core->offer(make_update(crashed.catalog, 2, {{"logger.level", "DEBUG"}}));
  const std::uint64_t before = crashed.disk.steps();
  crashed.core->offer(make_update(crashed.catalog, 3, {{"logger.level", "ERROR"}}));
  const std::uint64_t steps = crashed.disk.steps() - before;
  for (std::uint64_t step = 1; step <= steps; ++step) {
    SettingsBench again;
    ASSERT_TRUE(again.restart());
    again.core->offer(make_update(again.catalog, 2, {{"logger.level", "DEBUG"}}));
    again.disk.crash_after(step);
    again.core->offer(make_update(again.catalog, 3, {{"logger.level", "ERROR"}}));
    ASSERT_TRUE(again.restart());
    EXPECT_TRUE(again.core->pending_edits().empty()) << "step " << step;
    EXPECT_TRUE(again.core->drift().empty()) << "step " << step;
  }
}

TEST(OverrideFile, AnEditStaysInItUntilThereIsRoom) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.disk.put("config_override.json", R"({"HOTWORD_THRESHOLD": 0.9})");
  bench.disk.full_after(0);
  bench.core->check_override();
  Error error;
  bench.core->set("logger.level", "ERROR", [&](const Result<void>& set) { error = set.error(); });
  EXPECT_EQ(error.code, ErrorCode::unavailable) << error.message;
  bench.pass(disk_retry * 10);
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.5));
  EXPECT_TRUE(bench.core->report().contains("drift"));
  bench.disk.make_room();
  bench.pass(disk_retry);
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.9));
  EXPECT_FALSE(bench.core->report().contains("drift"));
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.9));
}

TEST(OverrideFile, AFullDiskThatKeepsTheFormerOneIsNoHandEdit) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->offer(make_update(bench.catalog, 2, {{"hotword.threshold", 0.7}}));
  bench.disk.make_fail("config_override.json.new", ErrorCode::unavailable);
  bench.core->offer(make_update(bench.catalog, 3, {{"hotword.threshold", 0.8}}));
  bench.disk.mend();
  bench.core->check_override();
  EXPECT_EQ(bench.value("hotword.threshold"), Json(0.8));
  EXPECT_TRUE(bench.core->pending_edits().empty());
  bench.disk.make_fail("config_override.json.new", ErrorCode::unavailable);
  bench.core->offer(make_update(bench.catalog, 4, {{"hotword.threshold", 0.9}}));
  bench.disk.mend();
  bench.pass(Seconds(60));  // nobody looked at it until now
  EXPECT_EQ(bench.file("config_override.json"), override_text(bench.catalog, bench.core->values()));
}

}  // namespace
}  // namespace starling::agent
