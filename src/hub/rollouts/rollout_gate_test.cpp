// What devices have by a rollout, as their documents say it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "hub/queue_executor.hpp"
#include "hub/rollouts/rollout.hpp"
#include "hub/rollouts/rollout_edits.hpp"
#include "hub/settings/documents.hpp"
#include "hub/settings/explain.hpp"
#include "hub/settings/fleet_fixture.hpp"
#include "hub/settings/personas.hpp"
#include "hub/settings/rollback.hpp"
#include "hub/state/scripted_store.hpp"
#include "protocol/canonical_json.hpp"

namespace starling::hub {
namespace {

using protocol::LayerId;
using protocol::LayerKind;

const LayerId fleet_layer{LayerKind::fleet, ""};
const LayerId lab_layer{LayerKind::group, "lab"};

class RolloutGateTest : public testing::Test, protected FleetFixture {
 protected:
  RolloutGateTest() {
    for (int i = 0; i < 20; ++i)
      add_device(i, "bear-" + std::to_string(i), {{"room", i < 5 ? "lab" : "nursery"}});
    write(fleet_layer, "hotword.threshold", 0.5);
  }

  void write(const LayerId& layer, const std::string& key, const Json& value) {
    apply({setting_edit(state, layer, key, value)});
  }
  static RolloutRecord wanted(const std::string& id, std::vector<RolloutValue> values) {
    RolloutRecord record;
    record.id = id;
    record.plan.author = "key:author";
    record.plan.values = std::move(values);
    record.plan.stages = {{.share = 4000}, {.share = Stage::whole}};
    return record;
  }
  void start(const RolloutRecord& record, bool supersede = false) {
    auto edits = plan_rollout(state, record, state.revision() + 1, supersede);
    ASSERT_TRUE(edits) << edits.error().message;
    apply(std::move(*edits));
  }
  const RolloutRecord& record(const std::string& id) const { return *state.rollouts().at(id); }
  void move(const std::string& id, const Result<RolloutRecord>& next) {
    ASSERT_TRUE(next) << next.error().message;
    auto edits = plan_rollout_step(state, record(id), *next);
    ASSERT_TRUE(edits) << edits.error().message;
    apply(std::move(*edits));
  }
  void open_stage(const std::string& id) {
    const auto next = Rollout(record(id)).due(WallTime());
    ASSERT_TRUE(next);
    move(id, *next);
  }
  void finish(const std::string& id) {
    RolloutRecord next = record(id);
    next.state = KeptRolloutState::finished;
    move(id, next);
  }
  void open_all(const std::string& id) {
    RolloutRecord next = record(id);
    next.state = KeptRolloutState::open;
    next.open = next.plan.stages.size();
    move(id, next);
  }
  double threshold(int number) const {
    return json_of(number).at("settings").at("hotword.threshold").as_double();
  }
  Json json_of(int number) const { return resolve_settings(state, device(number), "audio,hotword").json; }
  bool admits(const std::string& id, int number) const {
    return record(id).gate().admits(device(number).id, device(number).labels);
  }
  std::vector<Digest> hashes() const {
    std::vector<Digest> all;
    for (int i = 0; i < 20; ++i)
      all.push_back(resolve_settings(state, device(i), "audio,hotword").hash);
    return all;
  }
  std::size_t members(const std::string& id) const {
    std::size_t count = 0;
    for (int i = 0; i < 20; ++i)
      count += admits(id, i) ? 1 : 0;
    return count;
  }
};

TEST_F(RolloutGateTest, MembersSeeTheNewValuesAndOthersTheFormer) {
  const auto before = hashes();
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}, {{fleet_layer, "audio.volume"}, 3}}));
  EXPECT_EQ(hashes(), before) << "no stage is open";
  open_stage("r1");
  EXPECT_GT(members("r1"), 0u);
  EXPECT_LT(members("r1"), 20u);
  for (int i = 0; i < 20; ++i) {
    const bool member = admits("r1", i);
    EXPECT_EQ(threshold(i), member ? 0.8 : 0.5) << i;
    EXPECT_EQ(json_of(i).at("settings").at("audio.volume") == Json(3), member) << "both or neither";
  }
  EXPECT_EQ(state.layer(fleet_layer).at("hotword.threshold").value, Json(0.5))
      << "the layer is as it was written";
}

TEST_F(RolloutGateTest, FinishingWritesTheValuesAndChangesNoDocument) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}, {{lab_layer, "audio.volume"}, 3}}));
  Group lab{"lab", protocol::Selector::parse("room=lab").value(), 0};
  apply({state.edit(EntityKind::group, "lab", lab.to_json())});
  open_all("r1");
  const auto before = hashes();
  finish("r1");
  EXPECT_EQ(hashes(), before);
  EXPECT_EQ(state.layer(fleet_layer).at("hotword.threshold").value, Json(0.8));
  EXPECT_EQ(state.layer(lab_layer).at("audio.volume").value, Json(3));
  EXPECT_EQ(state.rollout_of({fleet_layer, "hotword.threshold"}), nullptr);
}

TEST_F(RolloutGateTest, AnAbortReturnsEveryDevice) {
  const auto before = hashes();
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_stage("r1");
  EXPECT_NE(hashes(), before);
  move("r1", Rollout(record("r1")).abort("no"));
  EXPECT_EQ(hashes(), before);
}

TEST_F(RolloutGateTest, ANullTakesTheLayersValueAway) {
  write({LayerKind::device, uuid(0)}, "hotword.threshold", 0.9);
  start(wanted("r1", {{{{LayerKind::device, uuid(0)}, "hotword.threshold"}, nullptr}}));
  open_all("r1");
  EXPECT_EQ(threshold(0), 0.5);
  finish("r1");
  EXPECT_EQ(threshold(0), 0.5);
  EXPECT_TRUE(state.layer({LayerKind::device, uuid(0)}).empty());
}

TEST_F(RolloutGateTest, WhatIsWrittenBesideReachesMembersToo) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_all("r1");
  write(fleet_layer, "audio.volume", 7);
  EXPECT_EQ(json_of(1).at("settings").at("audio.volume"), Json(7));
  EXPECT_EQ(threshold(1), 0.8);
}

TEST_F(RolloutGateTest, ModulesAndThePersonaAreRolledOutAlike) {
  apply({state.edit(EntityKind::persona, "TARS", Persona{"TARS", {{"voice_id", "deep"}}}.to_json())});
  start(wanted("r1",
               {{{fleet_layer, "persona.active"}, "TARS"}, {{fleet_layer, "modules.voice.enabled"}, true}}));
  open_stage("r1");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(json_of(i).as_object().contains("persona"), admits("r1", i)) << i;
    EXPECT_EQ(resolve_modules(state, device(i), "voice").json.as_object().contains("voice"), admits("r1", i))
        << i;
  }
}

TEST_F(RolloutGateTest, ReleasesAreRolledOutAlike) {
  apply({state.edit(EntityKind::release, "v1.2.3", JsonObject())});
  start(wanted("r1", {{{fleet_layer, "software.release"}, "v1.2.3"}}));
  const Sections touched = sections_of(*log.back(), state);
  EXPECT_TRUE(touched.software);
  EXPECT_FALSE(touched.settings || touched.modules);
  open_stage("r1");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(resolve_software(state, device(i)).json.as_object().contains("release"), admits("r1", i)) << i;
  }
}

TEST_F(RolloutGateTest, WhatComesWithAReleaseIsHeldBackWhereThatDoesNotRun) {
  apply({state.edit(EntityKind::release, "v1.2.3", JsonObject())});
  start(wanted("r1", {{{fleet_layer, "software.release"}, "v1.2.3"},
                      {{fleet_layer, "hotword.threshold"}, 0.8},
                      {{fleet_layer, "modules.voice.enabled"}, true}}));
  const Digest other = protocol::hash_of(Json{{"release", "v1.0.0"}});
  const Digest runs = protocol::hash_of(Json{{"release", "v1.2.3"}});
  EXPECT_TRUE(state.held_back(device(1), other).empty()) << "no stage is open";
  open_all("r1");
  EXPECT_TRUE(state.held_back(device(1), runs).empty());
  const HeldBack held = state.held_back(device(1), other);
  EXPECT_EQ(held, HeldBack{"r1"});
  const Json settings = resolve_settings(state, device(1), "hotword", {held, nullptr}).json;
  EXPECT_EQ(settings.at("settings").at("hotword.threshold"), Json(0.5));
  EXPECT_EQ(threshold(1), 0.8) << "as the rollout has it";
  EXPECT_EQ(resolve_modules(state, device(1), "voice", {held, nullptr}).json, Json(JsonObject()));
  move("r1", Rollout(record("r1")).abort("no"));
  EXPECT_TRUE(state.held_back(device(1), other).empty());
  EXPECT_FALSE(state.any_tied());
}

TEST_F(RolloutGateTest, ExplainNamesTheLayerThatTheValueIsBroughtTo) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_all("r1");
  const auto explained = explain(state, device(1), "hotword.threshold");
  ASSERT_TRUE(explained);
  EXPECT_EQ(explained->winner, fleet_layer);
  EXPECT_EQ(explained->effective, Json(0.8));
  EXPECT_EQ(explained->stack.front().rollout, "r1");
  EXPECT_EQ(explained->stack.front().revision, record("r1").started);
  EXPECT_EQ(explained->stack.back().rollout, "") << "the default";
}

TEST_F(RolloutGateTest, GatedSettingsAreNotWrittenPastIt) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  SettingsWrite past;
  past.values["HOTWORD_THRESHOLD"] = 0.6;
  const auto plan = plan_settings(state, past);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::failed_precondition);
  EXPECT_NE(plan.error().message.find("r1"), std::string::npos);
  past.values = {{"audio.volume", 6}};
  EXPECT_TRUE(plan_settings(state, past)) << "it does not bring this one";
  Rollback back(1);
  back.read(log);
  EXPECT_EQ(back.plan(state).error().code, ErrorCode::failed_precondition);
  const auto second =
      plan_rollout(state, wanted("r2", {{{fleet_layer, "hotword.threshold"}, 0.7}}), 99, false);
  EXPECT_EQ(second.error().code, ErrorCode::failed_precondition);
  EXPECT_EQ(plan_rollout(state, wanted("r1", {{{lab_layer, "audio.volume"}, 2}}), 99, false).error().code,
            ErrorCode::already_exists);
}

TEST_F(RolloutGateTest, WhatItIsOnItsWayToIsNotRemoved) {
  const Group lab{"lab", protocol::Selector::parse("room=lab").value(), 0};
  apply({state.edit(EntityKind::group, "lab", lab.to_json()),
         state.edit(EntityKind::persona, "TARS", Persona{"TARS", {}}.to_json()),
         state.edit(EntityKind::persona, "CASE", Persona{"CASE", {}}.to_json())});
  start(wanted("r1", {{{lab_layer, "hotword.threshold"}, 0.8},
                      {{{LayerKind::device, uuid(0)}, "audio.volume"}, 3},
                      {{{LayerKind::persona, "TARS"}, "audio.volume"}, 4},
                      {{fleet_layer, "persona.active"}, "CASE"}}));
  const auto removal = [&](EntityKind kind, const std::string& id) {
    return std::vector{state.edit(kind, id, Json())};
  };
  const std::vector<std::pair<EntityKind, std::string>> reached = {{EntityKind::group, "lab"},
                                                                   {EntityKind::device, uuid(0)},
                                                                   {EntityKind::persona, "TARS"},
                                                                   {EntityKind::persona, "CASE"}};
  for (const auto& [kind, id] : reached) {
    const auto checked = check_not_rolled_out(state, removal(kind, id));
    ASSERT_FALSE(checked) << id;
    EXPECT_EQ(checked.error().code, ErrorCode::failed_precondition);
    EXPECT_NE(checked.error().message.find("rollout r1"), std::string::npos);
  }
  EXPECT_TRUE(check_not_rolled_out(state, removal(EntityKind::device, uuid(1))));
  EXPECT_FALSE(plan_persona_removal(state, "TARS"));
  EXPECT_FALSE(plan_persona_removal(state, "CASE"));
  move("r1", Rollout(record("r1")).abort(""));
  for (const auto& [kind, id] : reached)
    EXPECT_TRUE(check_not_rolled_out(state, removal(kind, id))) << id;
}

TEST_F(RolloutGateTest, NothingIsWrittenForAGroupThatIsNotThere) {
  start(wanted("r1", {{{lab_layer, "audio.volume"}, 3}, {{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_all("r1");
  finish("r1");
  EXPECT_TRUE(state.layer(lab_layer).empty());
  EXPECT_EQ(state.layer(fleet_layer).at("hotword.threshold").value, Json(0.8));
}

TEST_F(RolloutGateTest, TwoRolloutsOfOneLayerDoNotDisturbEachOther) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  start(wanted("r2", {{{fleet_layer, "audio.volume"}, 3}}));
  open_stage("r1");
  open_stage("r2");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(threshold(i), admits("r1", i) ? 0.8 : 0.5) << i;
    EXPECT_EQ(json_of(i).at("settings").at("audio.volume") == Json(3), admits("r2", i)) << i;
  }
}

TEST_F(RolloutGateTest, TheHeirTakesOverWithoutGoingBackInBetween) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_stage("r1");
  start(wanted("r2", {{{fleet_layer, "hotword.threshold"}, 0.9}}), true);
  EXPECT_EQ(record("r1").state, KeptRolloutState::yielding);
  open_stage("r2");
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(threshold(i), admits("r2", i) ? 0.9 : admits("r1", i) ? 0.8 : 0.5) << i;
  start(wanted("r3", {{{fleet_layer, "hotword.threshold"}, 0.7}}), true);
  EXPECT_EQ(record("r2").heir, "r3");
  open_all("r3");
  finish("r3");
  EXPECT_EQ(record("r2").state, KeptRolloutState::superseded);
  EXPECT_EQ(record("r1").state, KeptRolloutState::superseded) << "whose heir has ended as well";
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(threshold(i), 0.7);
}

TEST_F(RolloutGateTest, AnHeirThatIsTakenBackGivesDevicesBackWhatTheyHad) {
  for (const KeptRolloutState end : {KeptRolloutState::aborted, KeptRolloutState::stopped}) {
    const std::string first = fmt::format("r{}", state.revision() + 1);
    start(wanted(first, {{{fleet_layer, "hotword.threshold"}, 0.8}}));
    open_stage(first);
    const auto before = hashes();
    start(wanted("heir of " + first, {{{fleet_layer, "hotword.threshold"}, 0.9}}), true);
    open_stage("heir of " + first);
    EXPECT_NE(hashes(), before);
    RolloutRecord ended = record("heir of " + first);
    ended.state = end;
    move("heir of " + first, ended);
    EXPECT_EQ(hashes(), before);
    EXPECT_EQ(record(first).state, KeptRolloutState::open) << "its stages go on";
    EXPECT_EQ(state.rollout_of({fleet_layer, "hotword.threshold"})->id, first);
    move(first, Rollout(record(first)).abort(""));
  }
}

TEST_F(RolloutGateTest, WhoeverWaitsForASupersededOneWaitsForItsHeirThen) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_stage("r1");
  const auto before = hashes();
  start(wanted("r2", {{{fleet_layer, "hotword.threshold"}, 0.9}}), true);
  start(wanted("r3", {{{fleet_layer, "hotword.threshold"}, 0.7}}), true);
  move("r2", Rollout(record("r2")).abort(""));
  EXPECT_EQ(record("r1").state, KeptRolloutState::yielding) << "r3 brings the same";
  EXPECT_EQ(record("r1").heir, "r3");
  move("r3", Rollout(record("r3")).abort(""));
  EXPECT_EQ(record("r1").state, KeptRolloutState::open);
  EXPECT_EQ(hashes(), before);
}

TEST_F(RolloutGateTest, ALostRaceIsAConflict) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  const RolloutRecord seen = record("r1");
  move("r1", Rollout(seen).abort("by somebody else"));
  const auto late = Rollout(seen).due(WallTime());
  EXPECT_EQ(plan_rollout_step(state, seen, *late).error().code, ErrorCode::conflict);
}

TEST_F(RolloutGateTest, WrongValuesAreRefusedBeforeTheyStart) {
  const struct {
    RolloutValue value;
    ErrorCode code;
  } cases[] = {{{{fleet_layer, "hotword.threshold"}, "loud"}, ErrorCode::invalid_argument},
               {{{fleet_layer, "no.such"}, 1}, ErrorCode::invalid_argument},
               {{{fleet_layer, "persona.active"}, "nobody"}, ErrorCode::not_found}};
  for (const auto& each : cases) {
    const auto edits = plan_rollout(state, wanted("r1", {each.value}), 99, false);
    ASSERT_FALSE(edits) << each.value.setting.key;
    EXPECT_EQ(edits.error().code, each.code);
    EXPECT_EQ(edits.error().field, "/values/0");
  }
}

TEST_F(RolloutGateTest, TheLogAloneGivesTheSameDocuments) {
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_stage("r1");
  FleetState again("default");
  for (const SharedChange& change : log)
    ASSERT_TRUE(again.apply(*change));
  const auto expected = hashes();
  state = again;
  EXPECT_EQ(hashes(), expected);
  const FleetState copy = state;
  move("r1", Rollout(record("r1")).abort(""));
  EXPECT_NE(hashes(), expected);
  state = copy;
  EXPECT_EQ(hashes(), expected);
}

TEST_F(RolloutGateTest, ChangesOfRolloutsSayWhatTheyTouch) {
  start(wanted("r1", {{{fleet_layer, "modules.voice.enabled"}, true}}));
  EXPECT_TRUE(scope_of(*log.back()).whole_fleet);
  EXPECT_TRUE(sections_of(*log.back(), state).modules);
  EXPECT_FALSE(sections_of(*log.back(), state).settings);
}

TEST_F(RolloutGateTest, MembersAndOthersAreOfDifferentClasses) {
  QueueExecutor executor;
  ScriptedStore store(executor);
  ManualClock clock;
  ChangeLog changes(store, executor, clock, Logger());
  Documents documents(changes);
  const auto class_of = [&](int i) { return documents.class_of(state, device(i), {"hotword", ""}); };
  EXPECT_EQ(class_of(0), class_of(19));
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, 0.8}}));
  open_stage("r1");
  const auto epoch = documents.membership_epoch();
  documents.on_change(log.back(), state);
  EXPECT_GT(documents.membership_epoch(), epoch) << "or sessions would keep the class that they had";
  for (int i = 0; i < 20; ++i) {
    for (int j = 0; j < 20; ++j)
      EXPECT_EQ(class_of(i) == class_of(j), admits("r1", i) == admits("r1", j)) << i << " " << j;
  }
}

// For a member the layer is empty as long as the one value that it has is taken away.
TEST_F(RolloutGateTest, WhatIsWrittenBesideATakenValueReachesKnownClassesToo) {
  QueueExecutor executor;
  ScriptedStore store(executor);
  ManualClock clock;
  ChangeLog changes(store, executor, clock, Logger());
  Documents documents(changes);
  start(wanted("r1", {{{fleet_layer, "hotword.threshold"}, nullptr}}));
  open_all("r1");
  documents.on_change(log.back(), state);
  const SharedClass known = documents.class_of(state, device(0), {"audio,hotword", ""});
  documents.document(*known, state, device(0));
  const auto epoch = documents.membership_epoch();
  write(fleet_layer, "audio.volume", 7);
  documents.on_change(log.back(), state);
  EXPECT_GT(documents.membership_epoch(), epoch);
  const SharedClass found = documents.class_of(state, device(0), {"audio,hotword", ""});
  EXPECT_EQ(documents.document(*found, state, device(0)).settings->json.at("settings").at("audio.volume"),
            Json(7));
}

TEST_F(RolloutGateTest, ADamagedBodyIsRefused) {
  FleetState fresh("default");
  EXPECT_EQ(fresh.load(EntityKind::rollout, "r1", JsonObject{{"stages", "none"}}, 1).error().code,
            ErrorCode::corrupted);
}

}  // namespace
}  // namespace starling::hub
