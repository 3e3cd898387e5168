#include "agent/supervisor/modules_section_bench.hpp"

namespace starling::agent {
namespace {

using protocol::Phase;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(ModulesSectionTest, BeginsEmptyAndAsksForNothing) {
  EXPECT_EQ(section->state().applied, protocol::hash_of(JsonObject{}));
  EXPECT_FALSE(section->state().refused);
  EXPECT_THAT(section->pending_edits(), IsEmpty());
  EXPECT_FALSE(section->wanted("recorder"));
}

TEST_F(ModulesSectionTest, ADamagedJournalIsMovedAsideAndIsDrift) {
  toggle("recorder", true);
  bench.disk.put(EditJournal::modules_path, "{\"edits\"");
  start();
  ASSERT_EQ(bench.core->drift().size(), 1u);
  EXPECT_EQ(bench.core->drift()[0].kind, "corruption");
  EXPECT_THAT(bench.core->drift()[0].message, testing::HasSubstr("corrupt-module_edits.json"));
  EXPECT_FALSE(section->wanted("recorder"));
  EXPECT_TRUE(bench.disk.content("corrupt-module_edits.json"));
}

TEST_F(ModulesSectionTest, IsProvisionalUntilItsModulesAreReady) {
  const auto offer = update(4, R"({"recorder":{"enabled":true}})");
  section->offer(offer);
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
  EXPECT_EQ(told().phase, Phase::provisional);
  EXPECT_EQ(told().running, offer.hash);
  settle("recorder");
  EXPECT_EQ(told().phase, Phase::applied);
  EXPECT_EQ(told().target, offer.hash);
  start();
  EXPECT_EQ(section->state().applied, offer.hash) << "it is durable";
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
}

TEST_F(ModulesSectionTest, IsProvisionalUntilWhatIsTurnedOffHasEnded) {
  runner.takes_long_to_end.insert("recorder");
  for (const char* off : {R"({"recorder":{"enabled":false}})", "{}"}) {
    section->offer(update(4, R"({"recorder":{"enabled":true}})"));
    settle("recorder");
    const auto offer = update(5, off);
    section->offer(offer);
    EXPECT_EQ(told().phase, Phase::provisional) << off;
    EXPECT_EQ(told().running, offer.hash);
    settle("recorder");
    EXPECT_EQ(told().phase, Phase::applied) << off;
    EXPECT_EQ(told().running, offer.hash);
  }
}

TEST_F(ModulesSectionTest, WhatIsTurnedOffHereIsProposedBeforeItHasEnded) {
  section->offer(update(4, R"({"recorder":{"enabled":true}})"));
  settle("recorder");
  runner.takes_long_to_end.insert("recorder");
  toggle("recorder", false);
  EXPECT_EQ(told().phase, Phase::provisional);
  ASSERT_EQ(section->pending_edits().size(), 1u) << "nothing takes it back";
  section->mark_edits_sent();
  section->settle_edit(answer_to(section->pending_edits()[0], true));
  EXPECT_EQ(told().phase, Phase::provisional);
  settle("recorder");
  EXPECT_EQ(told().phase, Phase::applied);
  EXPECT_EQ(running(), R"({"recorder":{"enabled":false}})");
}

TEST_F(ModulesSectionTest, WhatIsGoneCanBeDisabledAndNothingElse) {
  section->offer(update(4, R"({"clock":{"enabled":true},"recorder":{"enabled":true}})"));
  settle("recorder");
  runner.missing = {"clock", "recorder"};
  std::vector<std::string> answers;
  for (const bool enabled : {true, false}) {
    section->toggle("recorder", enabled, [&](const Result<ModuleState>& settled) {
      answers.emplace_back(settled ? to_string(*settled) : to_string(settled.error().code));
    });
  }
  EXPECT_THAT(answers, ElementsAre("not_found", "disabled"));
  EXPECT_EQ(section->pending_edits().size(), 1u);
  EXPECT_THAT(runner.missing, ElementsAre("clock"));
  section->offer(update(5, R"({"clock":{"enabled":false},"recorder":{"enabled":true}})"));
  EXPECT_TRUE(runner.missing.empty()) << "the hub wants it no more";
}

TEST_F(ModulesSectionTest, WhatIsNotNamedIsAsItShipped) {
  runner.shipped_on.insert("clock");
  start();
  section->offer(update(4, R"({"recorder":{"enabled":true}})"));
  EXPECT_TRUE(runner.enabled_modules["clock"]);
  section->offer(update(5, R"({"clock":{"enabled":false},"recorder":{"enabled":true}})"));
  EXPECT_FALSE(runner.enabled_modules["clock"]);
  section->offer(update(6, "{}"));
  EXPECT_FALSE(runner.enabled_modules["recorder"]) << "nothing is said of it any more";
  EXPECT_TRUE(runner.enabled_modules["clock"]);
}

TEST_F(ModulesSectionTest, WhatWasDecidedHereOutlastsWhatTheHubTakesBack) {
  section->offer(update(4, R"({"recorder":{"enabled":false}})"));
  toggle("recorder", true);
  settle("recorder");
  section->offer(update(5, "{}"));
  EXPECT_TRUE(runner.enabled_modules["recorder"]) << "the hub has not settled it";
  const protocol::PendingEdit edit = section->pending_edits().at(0);
  section->settle_edit(answer_to(edit, true));
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
  section->offer(update(6, R"({"recorder":{"enabled":true}})"));
  section->offer(update(7, "{}"));
  EXPECT_FALSE(runner.enabled_modules["recorder"]) << "it was the hub's by then";
}

TEST_F(ModulesSectionTest, AnEditThatTheHubRefusesLeavesWhatShipped) {
  runner.shipped_on.insert("recorder");
  start();
  toggle("recorder", false);
  section->settle_edit(answer_to(section->pending_edits().at(0), false));
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
}

TEST_F(ModulesSectionTest, TakesPatchesOfWhatRuns) {
  section->offer(update(4, R"({"recorder":{"enabled":true}})"));
  protocol::ConfigUpdate patch = update(5, R"({"clock":{"enabled":true},"recorder":{"enabled":true}})");
  patch.base = section->state().applied;
  patch.payload = parse_json(R"({"clock":{"enabled":true}})").value();
  section->offer(patch);
  EXPECT_EQ(section->state().applied, patch.hash);
  patch.base = sha256("something else");
  section->offer(patch);
  EXPECT_EQ(bench.recorder.said.back(), "section needed");
}

TEST_F(ModulesSectionTest, RefusesWhatItCannotRead) {
  section->offer(update(4, R"({"recorder":{"enabled":"yes"}})"));
  EXPECT_EQ(told().phase, Phase::refused);
  EXPECT_FALSE(runner.enabled_modules["recorder"]);
  protocol::ConfigUpdate wrong = update(4, R"({"recorder":{"enabled":true}})");
  wrong.hash = sha256("another one");
  section->offer(wrong);
  EXPECT_EQ(told().phase, Phase::refused);
  EXPECT_EQ(running(), "{}");
}

TEST_F(ModulesSectionTest, QuarantinesWhatCannotBeEnabledAndKeepsTheRest) {
  const auto offer = update(4, R"({"clock":{"enabled":true},"recorder":{"enabled":true}})");
  section->offer(offer);
  settle("clock");
  fail_to_enable("recorder");
  EXPECT_EQ(told().phase, Phase::refused);
  EXPECT_EQ(told().target, offer.hash);
  ASSERT_EQ(told().errors.size(), 1u);
  EXPECT_EQ(told().errors[0].key, "modules.recorder.enabled");
  EXPECT_EQ(told().errors[0].message, "it crashes");
  EXPECT_EQ(running(), R"({"clock":{"enabled":true}})");
  EXPECT_EQ(section->state().refused, offer.hash);

  runner.shipped_on.insert("recorder");
  start();
  EXPECT_FALSE(runner.enabled_modules["recorder"]);
  section->offer(offer);  // the hub offers what it has not been told is refused
  EXPECT_FALSE(runner.enabled_modules["recorder"]) << "it is not tried again";
  EXPECT_EQ(told().phase, Phase::refused);

  section->offer(update(5, R"({"recorder":{"enabled":false}})"));
  EXPECT_EQ(told().phase, Phase::applied);
  section->offer(update(6, R"({"recorder":{"enabled":true}})"));
  EXPECT_TRUE(runner.enabled_modules["recorder"]) << "somebody has spoken since";
}

TEST_F(ModulesSectionTest, QuarantineEndsWhenTheModuleIsNotWantedAnyMore) {
  for (const char* since : {R"({"recorder":{"enabled":false}})", "{}"}) {
    section->offer(update(4, R"({"recorder":{"enabled":true}})"));
    fail_to_enable("recorder");
    section->offer(update(5, R"({"clock":{"enabled":false},"recorder":{"enabled":true}})"));
    EXPECT_TRUE(runner.quarantined.contains("recorder")) << "it still is wanted";
    section->offer(update(6, since));
    EXPECT_FALSE(runner.quarantined.contains("recorder")) << since;
  }
}

TEST_F(ModulesSectionTest, WhatAPersonCouldNotEnableIsInQuarantineUntilSomebodyDisablesIt) {
  toggle("recorder", true);
  fail_to_enable("recorder");
  section->offer(update(4, R"({"clock":{"enabled":false}})"));
  EXPECT_TRUE(runner.quarantined.contains("recorder")) << "nobody has said anything of it since";
  EXPECT_FALSE(section->is_turned_off("recorder"));
  section->offer(update(5, R"({"recorder":{"enabled":false}})"));
  EXPECT_FALSE(runner.quarantined.contains("recorder"));
  EXPECT_TRUE(section->is_turned_off("recorder"));
}

TEST_F(ModulesSectionTest, ANewManifestOrAnEnableHereTriesQuarantineAgain) {
  const auto offer = update(4, R"({"recorder":{"enabled":true}})");
  for (const bool by_manifest : {true, false}) {
    section->offer(update(3, "{}"));
    section->offer(offer);
    fail_to_enable("recorder");
    if (by_manifest) {
      section->try_again("recorder");
    } else {
      toggle("recorder", true);
    }
    EXPECT_TRUE(runner.enabled_modules["recorder"]);
    settle("recorder");
    EXPECT_EQ(told().phase, Phase::applied);
    EXPECT_EQ(told().running, offer.hash);
    EXPECT_THAT(section->pending_edits(), IsEmpty()) << "the hub wants the same";
  }
}

TEST_F(ModulesSectionTest, SoIsWhatAPersonCouldNotEnableOrWhatShippedSo) {
  for (const bool shipped : {false, true}) {
    if (shipped) runner.shipped_on = {"clock", "recorder"};
    for (const char* module : {"clock", "recorder"}) {
      toggle(module, true);
      fail_to_enable(module);
    }
    section->try_again("recorder");
    EXPECT_TRUE(runner.enabled_modules["recorder"]);
    EXPECT_FALSE(runner.enabled_modules["clock"]) << "nothing has changed for it";
    settle("recorder");
    EXPECT_EQ(section->pending_edits().size(), shipped ? 0u : 1u);
  }
}

TEST_F(ModulesSectionTest, ADisableOfWhatIsInQuarantineIsFromWhatTheHubWants) {
  for (const bool sent : {false, true}) {
    section->offer(update(3, "{}"));
    section->offer(update(4, R"({"recorder":{"enabled":true}})"));
    fail_to_enable("recorder");
    toggle("recorder", false);
    settle("recorder");
    ASSERT_EQ(section->pending_edits().size(), 1u);
    EXPECT_EQ(section->pending_edits()[0].from, Json(true));
    EXPECT_EQ(section->pending_edits()[0].to, Json(false));
    if (sent) section->mark_edits_sent();
    toggle("recorder", true);
    settle("recorder");
    EXPECT_EQ(section->wanted("recorder"), true) << sent;
    EXPECT_EQ(section->pending_edits().size(), sent ? 2u : 0u);
  }
}

TEST_F(ModulesSectionTest, AToggleIsInForceAtOnceAndProposedWhenItHasSettled) {
  toggle("recorder", true);
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
  EXPECT_THAT(section->pending_edits(), IsEmpty()) << "it may yet be taken back";
  settle("recorder");
  ASSERT_EQ(section->pending_edits().size(), 1u);
  const protocol::PendingEdit edit = section->pending_edits()[0];
  EXPECT_EQ(edit.key, "modules.recorder.enabled");
  EXPECT_EQ(edit.from, Json());
  EXPECT_EQ(edit.to, Json(true));

  start();
  EXPECT_TRUE(runner.enabled_modules["recorder"]) << "also after hours without a hub";
  ASSERT_TRUE(section->owns_edit(edit.id));
  section->settle_edit(answer_to(edit, true));
  EXPECT_THAT(section->pending_edits(), IsEmpty());
  EXPECT_EQ(running(), R"({"recorder":{"enabled":true}})") << "as the hub has it now";
}

TEST_F(ModulesSectionTest, AToggleThatFailsIsNotProposed) {
  std::string answer;
  section->toggle("recorder", true, [&](const Result<ModuleState>& settled) {
    answer = settled ? "ok" : settled.error().message;
  });
  fail_to_enable("recorder");
  EXPECT_EQ(answer, "it crashes");
  EXPECT_THAT(section->pending_edits(), IsEmpty());
  EXPECT_FALSE(section->wanted("recorder"));
}

TEST_F(ModulesSectionTest, WhatTheHubSaysAnewIsCarriedOutWhateverACommandHasMadeOfIt) {
  section->offer(update(4, R"({"clock":{"enabled":false}})"));
  EXPECT_TRUE(runner.waiting.contains("clock")) << "it may have been started by a command";
  runner.waiting.clear();
  section->offer(update(5, R"({"clock":{"enabled":false},"recorder":{"enabled":true}})"));
  EXPECT_FALSE(runner.waiting.contains("clock")) << "of it nothing new was said";
  settle("recorder");
  runner.waiting.clear();
  section->offer(update(6, R"({"clock":{"enabled":false}})"));
  EXPECT_TRUE(runner.waiting.contains("recorder")) << "it is as it shipped";
  toggle("recorder", true);
  settle("recorder");
  runner.waiting.clear();
  section->offer(update(7, R"({"clock":{"enabled":false},"recorder":{"enabled":false}})"));
  EXPECT_FALSE(runner.waiting.contains("recorder")) << "an edit made here stands, until the hub settles it";
}

TEST_F(ModulesSectionTest, AnEnableThatIsHeldUpIsProposedAtOnce) {
  runner.held_up.insert("recorder");
  toggle("recorder", true);
  ASSERT_EQ(section->pending_edits().size(), 1u) << "what it waits for may never come";
  section->mark_edits_sent();
  section->settle_edit(answer_to(section->pending_edits()[0], true));
  EXPECT_EQ(told().phase, Phase::provisional) << "it is the hub's now, and still to be proved";
  section->offer(update(10, R"({"recorder":{"enabled":false}})"));
  EXPECT_EQ(section->wanted("recorder"), false) << "what is said later stands";
  EXPECT_THAT(section->pending_edits(), IsEmpty());
}

TEST_F(ModulesSectionTest, AnEnableThatTheHubHasTakenAndThatFailsIsInQuarantine) {
  runner.held_up.insert("recorder");
  toggle("recorder", true);
  section->mark_edits_sent();
  section->settle_edit(answer_to(section->pending_edits()[0], true));
  runner.held_up.clear();
  fail_to_enable("recorder");
  EXPECT_EQ(told().phase, Phase::refused);
  ASSERT_EQ(told().errors.size(), 1u);
  EXPECT_EQ(told().errors[0].message, "it crashes");
}

TEST_F(ModulesSectionTest, ARefusedEditGivesWayToTheHub) {
  section->offer(update(4, R"({"recorder":{"enabled":true}})"));
  settle("recorder");
  toggle("recorder", false);
  ASSERT_EQ(section->pending_edits().size(), 1u);
  section->settle_edit(answer_to(section->pending_edits()[0], false));
  EXPECT_TRUE(runner.enabled_modules["recorder"]);
}

TEST_F(ModulesSectionTest, ThereAndBackIsNoEdit) {
  section->offer(update(4, R"({"recorder":{"enabled":true}})"));
  settle("recorder");
  toggle("recorder", false);
  toggle("recorder", true);
  settle("recorder");
  EXPECT_THAT(section->pending_edits(), IsEmpty());
  toggle("recorder", false);
  section->mark_edits_sent();
  toggle("recorder", true);
  settle("recorder");
  ASSERT_EQ(section->pending_edits().size(), 2u) << "the hub may have taken the first one over";
  EXPECT_EQ(section->pending_edits()[1].from, Json(false));
}

TEST_F(ModulesSectionTest, AnUnknownModuleIsNamed) {
  std::string answer;
  section->toggle("nobody", true,
                  [&](const Result<ModuleState>& settled) { answer = settled.error().message; });
  EXPECT_THAT(answer, testing::HasSubstr("'nobody'"));
}

TEST_F(ModulesSectionTest, SettlesApartFromTheSettings) {
  bench.core->offer(make_update(bench.catalog, 2, {{"logger.level", "ERROR"}}));
  bench.pass(Seconds(60));
  bench.core->offer(make_update(bench.catalog, 3, {{"logger.level", "DEBUG"}}));
  section->offer(update(4, R"({"recorder":{"enabled":true}})"));
  bench.core->unhealthy("test");
  EXPECT_EQ(bench.value("logger.level"), Json("ERROR"));
  EXPECT_EQ(running(), R"({"recorder":{"enabled":true}})") << "the settings went back, the modules did not";
  start();
  EXPECT_EQ(bench.value("logger.level"), Json("ERROR"));
  EXPECT_EQ(running(), R"({"recorder":{"enabled":true}})");
}

TEST_F(ModulesSectionTest, SettingsThatNobodySetFollowTheirDefaults) {
  section->offer(update(4, R"({"recorder":{"enabled":true}})"));
  start();
  EXPECT_EQ(bench.core->running_hash(), default_document(bench.catalog).hash());
  bench.core->offer(make_update(bench.catalog, 5, {{"logger.level", "ERROR"}}));
  EXPECT_EQ(running(), R"({"recorder":{"enabled":true}})");
}

}  // namespace
}  // namespace starling::agent
