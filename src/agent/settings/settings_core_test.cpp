#include "agent/settings/settings_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/settings_bench.hpp"
#include "protocol/merge_patch.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Said = std::vector<std::string>;

const Json models_a = {"a.tflite"};
const Json models_b = {"b.tflite"};

void offer(SettingsBench& bench, std::int64_t revision, std::map<std::string, Json> values) {
  bench.core->offer(make_update(bench.catalog, revision, std::move(values)));
}

struct ChainCase {
  const char* name;
  bool modules;
  std::function<void(SettingsBench&)> stimuli;
  Said said;
  SettingsCore::State state;
  Json models;
};

std::vector<ChainCase> chain_cases() {
  using State = SettingsCore::State;
  const std::string prepare = "prepare hotword.models";
  return {
      {"applied without modules",
       false,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
       },
       {prepare, "commit", "provisional"},
       State::provisional,
       models_a},
      {"confirmed after a minute",
       false,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         b.pass(Seconds(59));
         b.recorder.said.push_back("59 s");
         b.pass(Seconds(1));
       },
       {prepare, "commit", "provisional", "59 s", "applied"},
       State::idle,
       models_a},
      {"waits for modules",
       true,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
       },
       {prepare, "staging"},
       State::preparing,
       Json(JsonArray{})},
      {"modules agree and acknowledge",
       true,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         b.recorder.agree();
         b.recorder.said.push_back("acknowledge");
         b.recorder.acknowledge();
       },
       {prepare, "staging", "commit", "provisional", "acknowledge"},
       State::provisional,
       models_a},
      {"a module refuses",
       true,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         b.recorder.disagree();
       },
       {prepare, "staging", "rollback", "refused"},
       State::idle,
       Json(JsonArray{})},
      {"a value outside its schema",
       false,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.threshold", 7}});
       },
       {"refused"},
       State::idle,
       Json(JsonArray{})},
      {"the newest replaces one in work",
       true,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         offer(b, 3, {{"hotword.models", models_b}});
         b.recorder.agree();
         b.recorder.acknowledge();
       },
       {prepare, "staging", "rollback", prepare, "staging", "commit", "provisional"},
       State::provisional,
       models_b},
      {"the newest waits while one is committed",
       true,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         b.recorder.agree();
         offer(b, 3, {{"hotword.models", models_b}});
         b.recorder.acknowledge();
       },
       {prepare, "staging", "commit", "provisional", prepare, "staging"},
       State::preparing,
       models_a},
      {"one that runs already",
       false,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         offer(b, 3, {{"hotword.models", models_a}});
       },
       {prepare, "commit", "provisional", "provisional"},
       State::provisional,
       models_a},
      {"one that is older than what runs",
       false,
       [](SettingsBench& b) {
         offer(b, 5, {{"hotword.models", models_a}});
         offer(b, 4, {{"hotword.models", models_b}});
       },
       {prepare, "commit", "provisional", "refused"},
       State::provisional,
       models_a},
      {"refused while provisional",
       true,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         b.recorder.agree();
         b.recorder.acknowledge();
         offer(b, 3, {{"hotword.models", models_b}});
         b.recorder.disagree();
         b.recorder.said.push_back("a minute");
         b.pass(Seconds(60));
       },
       {prepare, "staging", "commit", "provisional", prepare, "staging", "rollback", "refused", "a minute",
        "applied"},
       State::idle,
       models_a},
      {"unhealthy goes back to what was confirmed",
       false,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         b.pass(Seconds(60));
         offer(b, 3, {{"hotword.models", models_b}});
         b.core->unhealthy("no wake word any more");
       },
       {prepare, "commit", "provisional", "applied", prepare, "commit", "provisional", "commit", "reverted"},
       State::idle,
       models_a},
      {"unhealthy without anything confirmed goes back to the defaults",
       false,
       [](SettingsBench& b) {
         offer(b, 2, {{"hotword.models", models_a}});
         b.core->unhealthy("no wake word any more");
       },
       {prepare, "commit", "provisional", "commit", "reverted"},
       State::idle,
       Json(JsonArray{})},
      {"a patch on an unknown base",
       false,
       [](SettingsBench& b) {
         auto update = make_update(b.catalog, 2, {{"hotword.models", models_a}});
         update.base = sha256("nobody knows it");
         b.core->offer(update);
       },
       {"section needed"},
       State::idle,
       Json(JsonArray{})},
      {"a full document with the wrong hash",
       false,
       [](SettingsBench& b) {
         auto update = make_update(b.catalog, 2, {{"hotword.models", models_a}});
         update.hash = sha256("another");
         b.core->offer(update);
       },
       {"refused"},
       State::idle,
       Json(JsonArray{})},
  };
}

TEST(SettingsCore, GoesThroughTheseChains) {
  for (const ChainCase& one : chain_cases()) {
    SCOPED_TRACE(one.name);
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    bench.recorder.modules_answer = one.modules;
    one.stimuli(bench);
    EXPECT_EQ(bench.recorder.said, one.said);
    EXPECT_EQ(bench.core->state(), one.state);
    EXPECT_EQ(bench.value("hotword.models"), one.models);
  }
}

TEST(SettingsCore, AppliesAPatchOnWhatRuns) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  auto update = make_update(bench.catalog, 2, {{"hotword.models", models_a}});
  update.base = bench.core->running_hash();
  update.payload = protocol::make_merge_patch(bench.core->document().to_json(), update.payload);
  bench.core->offer(update);
  EXPECT_EQ(bench.value("hotword.models"), models_a);
  EXPECT_EQ(bench.core->running_hash(), update.hash);
}

TEST(SettingsCore, ARefusalLeavesTheDiskAsItWas) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  offer(bench, 2, {{"hotword.models", models_a}});
  const std::string before = bench.file("config_override.json");
  bench.recorder.modules_answer = true;
  offer(bench, 3, {{"hotword.models", models_b}});
  bench.recorder.disagree();
  EXPECT_EQ(bench.file("config_override.json"), before);
  EXPECT_EQ(bench.recorder.last_status.errors.at(0).key, "hotword.models");
  EXPECT_EQ(bench.recorder.last_status.running_revision, 2);
  EXPECT_TRUE(bench.core->sections().at(0).refused);
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.value("hotword.models"), models_a);
}

TEST(SettingsCore, ADiskThatCannotWriteRefusesTheDocument) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.disk.crash_after(2);
  offer(bench, 2, {{"hotword.models", models_a}});
  EXPECT_EQ(bench.recorder.said.back(), "refused");
  EXPECT_EQ(bench.value("hotword.models"), Json(JsonArray{}));
}

TEST(SettingsCore, SurvivesARestartAndTellsWhatRuns) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  const auto update = make_update(bench.catalog, 2, {{"logger.level", "DEBUG"}});
  bench.core->offer(update);
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.value("logger.level"), Json("DEBUG"));
  EXPECT_EQ(bench.core->running_hash(), update.hash);
  EXPECT_EQ(bench.core->cursor(), (protocol::Cursor{"g1", 2}));
  EXPECT_EQ(bench.core->state(), SettingsCore::State::provisional);
  EXPECT_EQ(bench.file("config_override.json"), "{\n  \"LOG_LEVEL\": \"DEBUG\"\n}\n");
}

TEST(SettingsCore, ACorruptedDocumentGivesWayToTheConfirmedOne) {
  for (const std::string damage : {"", "{\"format\":1", "half of it"}) {
    SCOPED_TRACE(damage);
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    offer(bench, 2, {{"hotword.models", models_a}});
    bench.pass(Seconds(60));
    offer(bench, 3, {{"hotword.models", models_b}});
    bench.disk.put("generations/2/document.json", damage);
    ASSERT_TRUE(bench.restart());
    EXPECT_EQ(bench.value("hotword.models"), models_a);
    ASSERT_EQ(bench.core->drift().size(), 1u);
    EXPECT_THAT(bench.core->drift()[0].message, HasSubstr("kept as generations/corrupt-2"));
    EXPECT_EQ(bench.file("generations/corrupt-2/document.json"), damage);
    EXPECT_TRUE(bench.core->report().contains("drift"));
    offer(bench, 4, {{"hotword.models", models_b}});  // put right: no drift any more
    EXPECT_FALSE(bench.core->report().contains("drift"));
  }
}

TEST(SettingsCore, WhatCannotBeReadAtTheMomentIsNotPutAside) {
  for (const std::string path : {"generations/1/document.json", "edits.json"}) {
    SCOPED_TRACE(path);
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    offer(bench, 2, {{"hotword.models", models_a}});
    bench.core->set("logger.level", "DEBUG", [](const Result<void>& done) { EXPECT_TRUE(done); });
    bench.disk.make_fail(path, ErrorCode::io);
    EXPECT_FALSE(bench.restart()) << "no descriptors, for one: the next start will do";
    bench.disk.mend();
    ASSERT_TRUE(bench.restart());
    EXPECT_EQ(bench.value("hotword.models"), models_a);
    EXPECT_EQ(bench.value("logger.level"), Json("DEBUG"));
    EXPECT_TRUE(bench.core->drift().empty());
    bench.disk.make_fail(path, ErrorCode::corrupted);  // a bad sector
    ASSERT_TRUE(bench.restart());
    EXPECT_EQ(bench.core->drift().size(), 1u);
  }
}

TEST(SettingsCore, WhatWorksWithThemDecidesWhenTheirTimeIsOver) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  offer(bench, 2, {{"hotword.models", models_a}});
  bench.pass(Seconds(60));
  offer(bench, 3, {{"hotword.models", models_b}});
  bench.recorder.said.clear();
  bench.recorder.told_verdict.over = false;  // a module starts
  bench.pass(Seconds(60));
  EXPECT_EQ(bench.core->next_deadline(), bench.clock.steady() + SettingsOptions{}.trial_retry);
  bench.pass(Seconds(5));
  EXPECT_TRUE(bench.recorder.said.empty());
  bench.recorder.told_verdict = {.over = true, .failure = "module 'ears' does not run"};
  bench.pass(Seconds(5));
  EXPECT_EQ(bench.recorder.said.back(), "reverted");
  EXPECT_EQ(bench.recorder.last_status.errors.at(0).message, "module 'ears' does not run");
  EXPECT_EQ(bench.value("hotword.models"), models_a);
}

TEST(SettingsCore, WitnessesAreKeptUntilTheyAreConfirmedOrTakenBack) {
  SettingsBench bench;
  const auto are = [&](const ModuleNames& expected) {
    EXPECT_EQ(bench.core->witnesses(), expected);
    ASSERT_TRUE(bench.restart());
    EXPECT_EQ(bench.core->witnesses(), expected) << "after a restart";
  };
  ASSERT_TRUE(bench.restart());
  bench.recorder.working = {"ears"};
  offer(bench, 2, {{"hotword.models", models_a}});
  are({"ears"});
  bench.pass(Seconds(60));
  are({});
  offer(bench, 3, {{"logger.level", "DEBUG"}});
  bench.recorder.working = {"eyes"};
  offer(bench, 4, {{"logger.level", "ERROR"}});
  are({"ears", "eyes"});
  ASSERT_TRUE(bench.core->put_modules({{"m", JsonObject{{"enabled", true}}}}, {}));
  are({"ears", "eyes"});
  bench.core->unhealthy("no wake word any more");
  are({});
  ASSERT_TRUE(bench.core->put_modules({{"m", JsonObject{{"enabled", false}}}}, {}));
  are({});
}

TEST(SettingsCore, WhatWasTakenBackStaysRefusedAfterARestart) {
  for (const bool confirmed_before : {false, true}) {
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    offer(bench, 2, {{"hotword.models", models_a}});
    if (confirmed_before) bench.pass(Seconds(60));
    const protocol::ConfigUpdate bad = make_update(bench.catalog, 3, {{"hotword.models", models_b}});
    bench.core->offer(bad);
    bench.core->unhealthy("no wake word any more");
    const protocol::ConfigStatus told = bench.recorder.last_status;
    const auto expect_refused = [&] {
      ASSERT_TRUE(bench.restart());
      EXPECT_EQ(bench.core->sections().at(0).refused, bad.hash);
      EXPECT_EQ(bench.core->status().phase, protocol::Phase::reverted);
      ASSERT_EQ(bench.core->status().errors.size(), 1u);
      EXPECT_EQ(bench.core->status().errors[0].message, told.errors.at(0).message);
      EXPECT_EQ(bench.core->state(), SettingsCore::State::idle);
      EXPECT_EQ(bench.value("hotword.models"), confirmed_before ? models_a : Json(JsonArray{}));
    };
    expect_refused();
    ASSERT_TRUE(bench.core->put_modules({{"m", JsonObject{{"enabled", true}}}}, {}));
    expect_refused();
    bench.core->offer(bad);
    EXPECT_EQ(bench.core->state(), SettingsCore::State::provisional) << "somebody has it tried again";
    ASSERT_TRUE(bench.restart());
    EXPECT_EQ(bench.core->sections().at(0).refused, Digest());
  }
}

TEST(SettingsCore, TheyAreTakenBackOnAFullDiskToo) {
  for (const bool confirmed_before : {false, true}) {
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    offer(bench, 2, {{"hotword.models", models_a}});
    if (confirmed_before) {
      bench.pass(Seconds(60));
      offer(bench, 3, {{"hotword.models", models_b}});
    }
    const std::string next = confirmed_before ? "3" : "2";
    bench.disk.make_fail("generations/" + next + "/document.json", ErrorCode::io);
    bench.core->unhealthy("no wake word any more");
    EXPECT_EQ(bench.recorder.said.back(), "reverted");
    bench.disk.mend();
    ASSERT_TRUE(bench.restart());
    EXPECT_EQ(bench.core->state(), SettingsCore::State::idle);
    EXPECT_EQ(bench.value("hotword.models"), confirmed_before ? models_a : Json(JsonArray{}));
  }
}

TEST(SettingsCore, AnEditOnTheDeviceIsNotOnTrial) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.recorder.working = {"ears"};
  bench.core->set("logger.level", "ERROR", [](const Result<void>&) {});
  EXPECT_TRUE(bench.core->witnesses().empty());
}

TEST(SettingsCore, SettingsThatDoNotWorkAreNeverConfirmed) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  offer(bench, 2, {{"hotword.models", models_a}});
  bench.pass(Seconds(60));
  offer(bench, 3, {{"hotword.models", models_b}});
  bench.disk.make_fail("current", ErrorCode::io);
  bench.core->unhealthy("no wake word any more");
  for (int second = 0; second < 300; second += 5)
    bench.pass(Seconds(5));
  EXPECT_EQ(bench.recorder.said.back(), "reverted");
  EXPECT_EQ(bench.value("hotword.models"), models_a) << "which the disk need not know";
  bench.disk.mend();
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.core->state(), SettingsCore::State::provisional) << "it does not";
  EXPECT_EQ(bench.value("hotword.models"), models_b);
  bench.disk.make_fail("current", ErrorCode::io);
  bench.core->unhealthy("no wake word any more");
  bench.disk.mend();
  bench.pass(disk_retry);
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.core->state(), SettingsCore::State::idle);
  EXPECT_EQ(bench.value("hotword.models"), models_a);
  EXPECT_EQ(bench.core->status().phase, protocol::Phase::reverted);
}

TEST(SettingsCore, NorByAReleaseThatIsConfirmedBeforeTheDiskTookTheWayBack) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  offer(bench, 2, {{"hotword.models", models_a}});
  bench.pass(Seconds(60));
  ASSERT_TRUE(bench.core->put_software({}, Release{"v1.1.0", sha256("v1.1.0")}));
  offer(bench, 3, {{"hotword.models", models_b}});
  bench.disk.full_after(0);
  bench.core->unhealthy("no wake word any more");
  EXPECT_EQ(bench.value("hotword.models"), models_a);
  EXPECT_FALSE(bench.core->confirm_release());
  EXPECT_TRUE(bench.core->release_on_trial());
  bench.disk.make_room();
  ASSERT_TRUE(bench.core->confirm_release());
  ASSERT_TRUE(bench.restart());
  EXPECT_FALSE(bench.core->release_on_trial());
  EXPECT_EQ(bench.core->state(), SettingsCore::State::idle);
  EXPECT_EQ(bench.value("hotword.models"), models_a);
}

TEST(SettingsCore, ADamagedWayBackEndsAtTheDefaults) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  offer(bench, 2, {{"hotword.models", models_a}});
  bench.pass(Seconds(60));
  offer(bench, 3, {{"hotword.models", models_b}});
  bench.disk.put("generations/1/document.json", "?");
  bench.core->unhealthy("no wake word any more");
  EXPECT_EQ(bench.recorder.said.back(), "reverted");
  EXPECT_EQ(bench.value("hotword.models"), Json(JsonArray{}));
}

TEST(SettingsCore, ModulesThatAreJustComingAreWaitedForAndAsked) {
  for (const bool arrives : {true, false}) {
    SettingsBench bench;
    ASSERT_TRUE(bench.restart());
    bench.recorder.modules_answer = true;
    bench.recorder.awaited = bench.clock.steady() + Seconds(10);
    offer(bench, 2, {{"hotword.models", models_a}});
    EXPECT_EQ(bench.recorder.said, (std::vector<std::string>{"staging"})) << "nobody is asked yet";
    EXPECT_EQ(bench.core->next_deadline(), bench.recorder.awaited);
    if (arrives) {
      bench.recorder.awaited.reset();
      bench.core->modules_changed();
    } else {
      bench.pass(Seconds(10));
      bench.recorder.awaited.reset();
      bench.core->tick();
    }
    EXPECT_EQ(bench.recorder.said.at(1), "prepare hotword.models");
    bench.recorder.disagree();
    EXPECT_EQ(bench.recorder.said.back(), "refused");
  }
}

TEST(SettingsCore, WhatModulesRefusedIsAskedForAgainWhenTheyChange) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  bench.core->modules_changed();
  EXPECT_TRUE(bench.recorder.said.empty());
  bench.recorder.modules_answer = true;
  offer(bench, 2, {{"hotword.models", models_a}});
  bench.recorder.disagree();
  bench.core->set("hotword.threshold", 0.9, [](const Result<void>& done) { EXPECT_FALSE(done); });
  bench.recorder.disagree();  // to an edit: that is another matter
  bench.core->modules_changed();
  EXPECT_EQ(bench.recorder.said.back(), "section needed");
  EXPECT_FALSE(bench.core->sections().front().refused) << "else the hub would not offer it";
  bench.core->modules_changed();
  EXPECT_EQ(std::ranges::count(bench.recorder.said, "section needed"), 1) << "it has been asked for";
  offer(bench, 2, {{"hotword.models", models_a}});
  bench.recorder.disagree();
  offer(bench, 2, {{"hotword.threshold", 0.7}});  // what is left without that
  bench.recorder.agree();
  bench.core->modules_changed();
  EXPECT_EQ(std::ranges::count(bench.recorder.said, "section needed"), 2) << "the hub keeps that back";
  ASSERT_TRUE(bench.restart());
  bench.core->something_is_kept_back();
  EXPECT_EQ(std::ranges::count(bench.recorder.said, "section needed"), 0) << "there is no module yet";
  bench.core->modules_changed();
  EXPECT_EQ(std::ranges::count(bench.recorder.said, "section needed"), 1);
  offer(bench, 2, {{"hotword.threshold", 7}});
  const auto said = bench.recorder.said.size();
  bench.core->modules_changed();
  EXPECT_EQ(bench.recorder.said.size(), said) << "no module can mend a value outside its schema";
}

TEST(SettingsCore, EditsThatWaitForTheHubFitIntoOneMessage) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  JsonArray models;
  for (int i = 0; i < 1'000; ++i)
    models.push_back(Json(JsonString(std::string(200, 'm') + std::to_string(i))));
  std::string why;
  bench.core->set("hotword.models", models, [&why](const Result<void>& done) {
    if (!done) why = done.error().message;
  });
  EXPECT_THAT(why, HasSubstr("too large"));
}

TEST(SettingsCore, WithoutAnyReadableDocumentTheDefaultsRun) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  offer(bench, 2, {{"hotword.models", models_a}});
  bench.pass(Seconds(60));
  bench.disk.put("generations/1/document.json", "?");
  ASSERT_TRUE(bench.restart());
  EXPECT_EQ(bench.value("hotword.models"), Json(JsonArray{}));
  EXPECT_EQ(bench.core->drift().size(), 1u);
  ASSERT_TRUE(bench.restart());
  EXPECT_TRUE(bench.core->drift().empty());
}

TEST(SettingsCore, ThePersonaIsAValueLikeOthers) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  std::vector<std::string> heard;
  bench.core->subscriptions().subscribe({"persona"}, [&heard](const SettingsChange& change) {
    heard.push_back(boost::json::serialize(change.values.at("persona.active")));
  });
  protocol::SettingsDocument document = default_document(bench.catalog);
  document.persona = {{"name", "TARS"}, {"voice_id", "v1"}};
  bench.core->offer(update_of(document, 2));
  EXPECT_THAT(heard, ElementsAre("\"TARS\""));
  EXPECT_EQ(bench.file("config_override.json"), "{}\n");
}

// ---- subscriptions

TEST(SettingsCore, SubscribersHearOncePerRevisionAndOnlyOfTheirKeys) {
  SettingsBench bench;
  ASSERT_TRUE(bench.restart());
  Said heard;
  const auto hear = [&heard](const char* who) {
    return [&heard, who](const SettingsChange& change) {
      std::string line = std::string(who) + " " + std::to_string(change.revision);
      for (const std::string& key : change.changed)
        line += " " + key;
      heard.push_back(line);
    };
  };
  Subscriptions& subscriptions = bench.core->subscriptions();
  subscriptions.subscribe({"hotword.models", "hotword.threshold"}, hear("detector"));
  subscriptions.subscribe({"logger"}, hear("logger"));
  offer(bench, 2, {{"hotword.models", models_a}, {"hotword.threshold", 0.7}});
  offer(bench, 3, {{"hotword.models", models_a}, {"hotword.threshold", 0.7}, {"logger.level", "DEBUG"}});
  offer(bench, 4,
        {{"hotword.models", models_a},
         {"hotword.threshold", 0.7},
         {"logger.level", "DEBUG"},
         {"hotword.engine", "b"}});
  EXPECT_THAT(heard, ElementsAre("detector 2 hotword.models hotword.threshold", "logger 3 logger.level"));
}

TEST(Subscriptions, MayEndWhileTheyAreTold) {
  Subscriptions subscriptions;
  Said heard;
  Subscriptions::Id first{}, second{};
  first = subscriptions.subscribe({"a"}, [&](const SettingsChange&) {
    heard.push_back("first");
    subscriptions.unsubscribe(first);
    subscriptions.unsubscribe(second);
    subscriptions.subscribe({"a"}, [&](const SettingsChange&) { heard.push_back("third"); });
  });
  second = subscriptions.subscribe({"a"}, [&](const SettingsChange&) { heard.push_back("second"); });
  const Values values;
  const Said changed{"a.x"};
  subscriptions.notify(1, values, changed);
  EXPECT_THAT(heard, ElementsAre("first"));
  subscriptions.notify(2, values, changed);
  EXPECT_THAT(heard, ElementsAre("first", "third"));
}

}  // namespace
}  // namespace starling::agent
