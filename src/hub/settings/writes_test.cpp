#include "hub/settings/writes.hpp"

#include "hub/settings/explain.hpp"
#include "hub/settings/fleet_fixture.hpp"
#include "hub/settings/masking.hpp"
#include "hub/settings/personas.hpp"
#include "hub/settings/rollback.hpp"

namespace starling::hub {
namespace {

using protocol::LayerId;
using protocol::LayerKind;

class Writes : public testing::Test, public FleetFixture {
 protected:
  static Target target(std::string_view text) {
    const Json object = json(text);
    auto parsed = Target::from_json(object.get_object(), "/target");
    EXPECT_TRUE(parsed) << text;
    return parsed ? *parsed : Target{};
  }
  static SettingsWrite write(std::string_view target_text, std::map<std::string, Json> values,
                             std::map<std::string, Json> expected = {}) {
    return {target(target_text), std::move(values), std::move(expected)};
  }
  void set(std::string_view target_text, std::map<std::string, Json> values) {
    const auto plan = plan_settings(state, write(target_text, std::move(values)));
    ASSERT_TRUE(plan) << plan.error().message;
    if (!plan->edits.empty()) apply(plan->edits);
  }
  void import(std::string_view text) {
    const auto personas = parse_personas(json(text));
    ASSERT_TRUE(personas) << personas.error().message;
    const auto edits = plan_personas(state, *personas, true);
    ASSERT_TRUE(edits) << edits.error().message;
    if (!edits->empty()) apply(*edits);
  }
};

TEST_F(Writes, TargetsAreReadStrictly) {
  struct Case {
    const char* text;
    const char* pointer;
  };
  constexpr Case wrong[] = {
      {R"({})", "/target"},
      {R"({"fleet":false})", "/target"},
      {R"({"fleet":true,"device":"x"})", "/target"},
      {R"({"group":"a","persona":"b"})", "/target"},
      {R"({"room":"nursery"})", "/target/room"},
      {R"({"device":7})", "/target/device"},
      {R"({"fleet":true,"policy":"yes"})", "/target/policy"},
  };
  for (const Case& each : wrong) {
    const Json object = json(each.text);
    const auto parsed = Target::from_json(object.get_object(), "/target");
    ASSERT_FALSE(parsed) << each.text;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(parsed.error().field, each.pointer) << each.text;
  }
  EXPECT_TRUE(target(R"({"policy":true})").policy);
}

TEST_F(Writes, ASettingThatIsNoMoreCanStillBeTakenAway) {
  const protocol::LayerId fleet{protocol::LayerKind::fleet, ""};
  apply({setting_edit(state, fleet, "hotword.former", 1)});
  const auto plan = plan_settings(
      state, write(R"({"fleet":true})", {{"hotword.former", Json()}, {"hotword.threshold", 0.7}}));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->edits.size(), 2u);
  EXPECT_EQ(plan->values, (std::map<std::string, Json>{{"hotword.threshold", 0.7}}));
  EXPECT_FALSE(plan_settings(state, write(R"({"fleet":true})", {{"hotword.former", 2}})));
  EXPECT_FALSE(plan_settings(state, write(R"({"device":"x"})", {{"hotword.former", Json()}})));
}

TEST_F(Writes, EachTargetWritesItsLayer) {
  const std::string id = add_device(1, "bear", {{"room", "nursery"}});
  import(R"({"TARS":{}})");
  apply({state.edit(EntityKind::group, "lab",
                    Group{"lab", *protocol::Selector::parse("kind=lab"), 3}.to_json())});
  struct Case {
    std::string target;
    std::string layer;
  };
  const Case cases[] = {
      {R"({"fleet":true})", "fleet"},
      {R"({"fleet":true,"policy":true})", "policy"},
      {R"({"device":"bear"})", "device:" + id},
      {R"({"device":")" + id + R"("})", "device:" + id},
      {R"({"device":"bear","policy":true})", "policy/device:" + id},
      {R"({"persona":"TARS"})", "persona:TARS"},
      {R"({"group":"lab"})", "group:lab"},
      {R"({"group":"lab","policy":true})", "policy/group:lab"},
      {R"({"selector":" room = nursery "})", "group:room=nursery"},
      {R"({"selector":"kind=lab"})", "group:lab"},
  };
  for (const Case& each : cases) {
    const auto plan = plan_settings(state, write(each.target, {{"HOTWORD_THRESHOLD", 0.7}}));
    ASSERT_TRUE(plan) << each.target << plan.error().message;
    EXPECT_EQ(plan->scope.layer.text(), each.layer);
    ASSERT_FALSE(plan->edits.empty());
    EXPECT_EQ(plan->edits.back().id, each.layer + " hotword.threshold");
    EXPECT_EQ(plan->edits.back().after, Json(0.7));
  }
}

TEST_F(Writes, SelectorMakesItsGroupOnceAndOnlyIfSomethingIsWritten) {
  add_device(1, "bear", {{"room", "nursery"}});
  const auto nothing =
      plan_settings(state, write(R"({"selector":"room=nursery"})", {{"hotword.threshold", nullptr}}));
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->edits.empty());
  const auto first =
      plan_settings(state, write(R"({"selector":"room=nursery"})", {{"hotword.threshold", 0.6}}));
  ASSERT_TRUE(first);
  ASSERT_EQ(first->edits.size(), 2u);
  EXPECT_EQ(first->edits[0].kind, EntityKind::group);
  EXPECT_EQ(first->edits[0].id, "room=nursery");
  apply(first->edits);
  const auto second =
      plan_settings(state, write(R"({"selector":"room=nursery"})", {{"hotword.threshold", 0.8}}));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->edits.size(), 1u);
  EXPECT_EQ(second->scope.count(state), 1u);
}

TEST_F(Writes, BadWritesAreRefusedWithTheirPlace) {
  add_device(1, "twin");
  add_device(2, "twin");
  struct Case {
    const char* target;
    std::map<std::string, Json> values;
    ErrorCode code;
    const char* pointer;
  };
  const Case cases[] = {
      {R"({"fleet":true})", {}, ErrorCode::invalid_argument, "/values"},
      {R"({"fleet":true})",
       {{"hotword.treshold", 0.5}},
       ErrorCode::invalid_argument,
       "/values/hotword.treshold"},
      {R"({"fleet":true})",
       {{"hotword.threshold", 1.5}},
       ErrorCode::invalid_argument,
       "/values/hotword.threshold"},
      {R"({"fleet":true})",
       {{"hotword.threshold", "x"}},
       ErrorCode::invalid_argument,
       "/values/hotword.threshold"},
      {R"({"fleet":true})",
       {{"HOTWORD_THRESHOLD", 0.5}, {"hotword.threshold", 0.5}},
       ErrorCode::invalid_argument,
       "/values/hotword.threshold"},
      {R"({"fleet":true})", {{"persona.active", "HAL"}}, ErrorCode::not_found, "/values/persona.active"},
      {R"({"fleet":true})", {{"persona.active", 1}}, ErrorCode::invalid_argument, "/values/persona.active"},
      {R"({"device":"nobody"})", {{"hotword.threshold", 0.5}}, ErrorCode::not_found, "/target/device"},
      {R"({"device":"twin"})",
       {{"hotword.threshold", 0.5}},
       ErrorCode::failed_precondition,
       "/target/device"},
      {R"({"persona":"HAL"})", {{"hotword.threshold", 0.5}}, ErrorCode::not_found, "/target/persona"},
      {R"({"group":"none"})", {{"hotword.threshold", 0.5}}, ErrorCode::not_found, "/target/group"},
      {R"({"selector":""})", {{"hotword.threshold", 0.5}}, ErrorCode::invalid_argument, "/target/selector"},
  };
  for (const Case& each : cases) {
    const auto plan = plan_settings(state, write(each.target, each.values));
    ASSERT_FALSE(plan) << each.target << " " << each.pointer;
    EXPECT_EQ(plan.error().code, each.code) << plan.error().message;
    EXPECT_EQ(plan.error().field, each.pointer) << plan.error().message;
  }
}

TEST_F(Writes, LostRaceShowsBothValuesAndWritesNothing) {
  set(R"({"fleet":true})", {{"hotword.threshold", 0.6}});
  const auto stale =
      plan_settings(state, write(R"({"fleet":true})", {{"hotword.threshold", 0.9}, {"hotword.phrase", "hi"}},
                                 {{"HOTWORD_THRESHOLD", 0.5}, {"hotword.phrase", nullptr}}));
  ASSERT_TRUE(stale);
  EXPECT_TRUE(stale->edits.empty());
  ASSERT_EQ(stale->conflicts.size(), 1u);
  EXPECT_EQ(stale->conflicts[0].key, "hotword.threshold");
  EXPECT_EQ(stale->conflicts[0].expected, Json(0.5));
  EXPECT_EQ(stale->conflicts[0].actual, Json(0.6));
  const auto fresh = plan_settings(
      state, write(R"({"fleet":true})", {{"hotword.threshold", 0.9}}, {{"hotword.threshold", 0.6}}));
  ASSERT_TRUE(fresh);
  EXPECT_TRUE(fresh->conflicts.empty());
  EXPECT_EQ(fresh->edits.size(), 1u);
}

TEST_F(Writes, WritingWhatIsThereChangesNothing) {
  set(R"({"fleet":true})", {{"hotword.cooldown", 5}});
  const auto again = plan_settings(state, write(R"({"fleet":true})", {{"hotword.cooldown", 5.0}}));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->edits.empty());
  const auto unset = plan_settings(state, write(R"({"fleet":true})", {{"hotword.phrase", nullptr}}));
  ASSERT_TRUE(unset);
  EXPECT_TRUE(unset->edits.empty());
}

TEST_F(Writes, MaskingNamesTheLayerThatWins) {
  const std::string bear = add_device(1, "bear", {{"room", "nursery"}});
  add_device(2, "duck", {{"room", "nursery"}});
  add_device(3, "robot", {{"room", "lab"}});
  import(R"({"TARS":{"pi_config":{"HOTWORD_THRESHOLD":0.4}}})");
  set(R"({"selector":"room=nursery"})", {{"hotword.threshold", 0.6}});
  set(R"({"device":"bear"})", {{"hotword.threshold", 0.7}});
  const auto masked_at_fleet = [&] {
    const auto plan = plan_settings(state, write(R"({"fleet":true})", {{"hotword.threshold", 0.9}}));
    return find_masked(state, plan->scope, plan->values, 100);
  };
  const Masking before = masked_at_fleet();
  ASSERT_EQ(before.count, 2u);
  EXPECT_EQ(before.first[0].device->id, bear);
  EXPECT_EQ(before.first[0].layer.text(), "device:" + bear);
  EXPECT_EQ(before.first[1].layer.text(), "group:room=nursery");

  set(R"({"fleet":true})", {{"persona.active", "TARS"}});
  const Masking with_persona = masked_at_fleet();
  EXPECT_EQ(with_persona.count, 3u);
  EXPECT_EQ(with_persona.first[2].layer.text(), "persona:TARS");

  const auto limited = find_masked(state, {{LayerKind::fleet, ""}, {}}, {{"hotword.threshold", 0.9}}, 1);
  EXPECT_EQ(limited.first.size(), 1u);
  EXPECT_EQ(limited.count, 3u);
  const auto in_group =
      plan_settings(state, write(R"({"group":"room=nursery"})", {{"hotword.threshold", 0.1}}));
  EXPECT_EQ(find_masked(state, in_group->scope, in_group->values, 100).count, 1u);
}

TEST_F(Writes, WhatAHigherLayerSaysTooIsNotMasked) {
  const std::string bear = add_device(1, "bear", {{"room", "nursery"}});
  const std::string duck = add_device(2, "duck", {{"room", "nursery"}});
  add_device(3, "robot");
  set(R"({"selector":"room=nursery"})", {{"hotword.threshold", 0.6}});
  const auto masked_by = [&](const Json& value) {
    const auto plan = plan_settings(state, write(R"({"fleet":true})", {{"hotword.threshold", value}}));
    std::vector<std::string> ids;
    for (const MaskedValue& each : find_masked(state, plan->scope, plan->values, 100).first)
      ids.push_back(each.device->id);
    return ids;
  };
  EXPECT_EQ(masked_by(0.6), std::vector<std::string>{});
  EXPECT_EQ(masked_by(0.9), (std::vector{bear, duck}));
  set(R"({"device":"bear"})", {{"hotword.threshold", 0.9}});
  EXPECT_EQ(masked_by(0.6), std::vector{bear}) << "the highest counts";
  EXPECT_EQ(masked_by(0.9), std::vector{duck}) << "for itself alone";
}

TEST_F(Writes, DeviceEditsAreSettledAgainstWhatTheHubWants) {
  const std::string id = add_device(1, "bear");
  const auto propose = [&](const char* key, Json from, Json to) {
    protocol::PendingEdit edit;
    edit.key = key;
    edit.from = std::move(from);
    edit.to = std::move(to);
    return plan_proposal(state, device(1), edit);
  };
  const auto taken = propose("HOTWORD_THRESHOLD", 0.5, 0.7);
  EXPECT_TRUE(taken.accepted) << taken.message;
  ASSERT_EQ(taken.edits.size(), 1u);
  EXPECT_EQ(taken.edits[0].id, "device:" + id + " hotword.threshold");

  set(R"({"fleet":true})", {{"hotword.threshold", 0.9}});
  const auto lost = propose("hotword.threshold", 0.5, 0.7);
  EXPECT_FALSE(lost.accepted);
  EXPECT_EQ(lost.hub_value, Json(0.9));
  EXPECT_TRUE(propose("hotword.threshold", 0.5, 0.9).accepted) << "both want the same";
  EXPECT_FALSE(propose("hotword.threshold", 0.9, 7).accepted) << "outside the schema";
  EXPECT_FALSE(propose("hotword.models", nullptr, json(R"(["a"])")).accepted) << "owned by the hub";
  EXPECT_FALSE(propose("no.such", nullptr, 1).accepted);
  set(R"({"policy":true})", {{"hotword.threshold", 0.3}});
  EXPECT_FALSE(propose("hotword.threshold", 0.3, 0.7).accepted) << "policy is unbeatable";
}

TEST_F(Writes, ModulesAreEnabledInAnyLayer) {
  const std::string id = add_device(1, "bear", {{"room", "nursery"}});
  import(R"({"TARS":{"pi_config":{"modules.recorder.enabled":true}}})");
  for (const char* each : {R"({"fleet":true})", R"({"selector":"room=nursery"})", R"({"device":"bear"})",
                           R"({"persona":"TARS"})", R"({"policy":true})"}) {
    const auto plan = plan_settings(state, write(each, {{"modules.recorder.enabled", false}}));
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_TRUE(plan->edits.back().id.ends_with(" modules.recorder.enabled")) << plan->edits.back().id;
    EXPECT_EQ(plan->edits.back().after, Json(false));
  }
  for (const Json& wrong : {Json("true"), Json(1), Json(JsonObject())}) {
    const auto plan = plan_settings(state, write(R"({"fleet":true})", {{"modules.recorder.enabled", wrong}}));
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().field, "/values/modules.recorder.enabled");
  }
  for (const char* wrong :
       {"modules.recorder", "modules.Rec.enabled", "modules..enabled", "modules.a/b.enabled"})
    EXPECT_FALSE(plan_settings(state, write(R"({"fleet":true})", {{wrong, true}}))) << wrong;

  set(R"({"fleet":true})", {{"modules.recorder.enabled", true}});
  set(R"({"device":"bear"})", {{"modules.recorder.enabled", false}});
  const auto plan = plan_settings(state, write(R"({"fleet":true})", {{"modules.recorder.enabled", nullptr}},
                                               {{"modules.recorder.enabled", false}}));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->conflicts.size(), 1u);
  EXPECT_EQ(find_masked(state, {{LayerKind::fleet, ""}, {}}, {{"modules.recorder.enabled", true}}, 9).count,
            1u);

  const auto explained = explain(state, device(1), "modules.recorder.enabled");
  ASSERT_TRUE(explained) << explained.error().message;
  EXPECT_EQ(explained->effective, Json(false));
  EXPECT_EQ(explained->winner.text(), "device:" + id);
  EXPECT_EQ(explained->stack.size(), 2u);
  EXPECT_TRUE(explain(state, device(1), "modules.other.enabled")->effective.is_null());
  EXPECT_FALSE(explain(state, device(1), "modules.other"));
}

TEST_F(Writes, DevicesDifferInModulesThatBothMayHave) {
  add_device(1, "bear");
  add_device(2, "duck");
  set(R"({"device":"bear"})", {{"modules.recorder.enabled", true}, {"modules.unknown.enabled", true}});
  const auto differences =
      diff_devices({state, device(1), {"", "recorder"}}, {state, device(2), {"", "recorder"}});
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].key, "modules.recorder.enabled");
  EXPECT_EQ(differences[0].left, Json(true));
  EXPECT_TRUE(differences[0].right.is_null());
}

TEST_F(Writes, DeviceTogglesOfModulesAreSettled) {
  add_device(1, "bear");
  const auto propose = [&](Json from, Json to) {
    protocol::PendingEdit edit;
    edit.key = "modules.recorder.enabled";
    edit.from = std::move(from);
    edit.to = std::move(to);
    return plan_proposal(state, device(1), edit);
  };
  EXPECT_TRUE(propose(nullptr, true).accepted);
  EXPECT_TRUE(propose(false, true).accepted) << "the hub has said nothing that could have changed";
  EXPECT_FALSE(propose(false, "yes").accepted);
  set(R"({"fleet":true})", {{"modules.recorder.enabled", false}});
  EXPECT_FALSE(propose(true, nullptr).accepted) << "changed at the hub";
  EXPECT_TRUE(propose(false, true).accepted);
  const auto lost = propose(nullptr, true);
  EXPECT_FALSE(lost.accepted) << "the hub has spoken since";
  EXPECT_EQ(lost.hub_value, Json(false));
  EXPECT_EQ(lost.message, "modules.recorder.enabled was changed at the hub in the meantime");
  EXPECT_TRUE(propose(nullptr, false).accepted) << "both want the same";
  set(R"({"policy":true})", {{"modules.recorder.enabled", false}});
  EXPECT_EQ(propose(nullptr, true).message, "modules.recorder.enabled is set by policy");
}

TEST_F(Writes, ModulesAreRolledBackAsSettingsAre) {
  set(R"({"fleet":true})", {{"modules.recorder.enabled", true}});
  const std::int64_t before = state.revision();
  set(R"({"fleet":true})", {{"modules.recorder.enabled", false}});
  Rollback rollback(before);
  rollback.read(std::span(log).subspan(static_cast<std::size_t>(before)));
  const auto edits = rollback.plan(state);
  ASSERT_TRUE(edits) << edits.error().message;
  ASSERT_EQ(edits->size(), 1u);
  EXPECT_EQ(edits->front().after, Json(true));
}

TEST_F(Writes, SelectorsWithinOthers) {
  struct Case {
    const char* inner;
    const char* outer;
    bool within;
  };
  constexpr Case cases[] = {
      {"room=nursery", "", true},
      {"", "room=nursery", false},
      {"room=nursery", "room=nursery", true},
      {"room=nursery,kind=bear", "room=nursery", true},
      {"room=lab", "room=nursery", false},
      {"room=nursery", "room=nursery,kind=bear", false},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(within_selector(*protocol::Selector::parse(each.inner), *protocol::Selector::parse(each.outer)),
              each.within)
        << each.inner << " in " << each.outer;
  }
}

TEST_F(Writes, OnlyPublishedReleasesCanBeWanted) {
  const auto wanted = [&](const Json& value) {
    return check_value(state, {LayerKind::fleet, ""}, "software.release", value);
  };
  EXPECT_EQ(wanted("v1.0.0").error().message, "no release 'v1.0.0' is published: none is published yet");
  apply({state.edit(EntityKind::release, "v1.9.0", JsonObject())});
  apply({state.edit(EntityKind::release, "v1.10.0", JsonObject())});
  EXPECT_EQ(wanted("v1.0.0").error().message, "no release 'v1.0.0' is published: there are v1.10.0, v1.9.0");
  EXPECT_EQ(wanted("v1.0.0").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(wanted(1).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(wanted("v1.9.0")->value, Json("v1.9.0"));
  EXPECT_TRUE(wanted(nullptr)->value.is_null());

  const std::string id = add_device(1, "bear");
  const auto proposal =
      plan_proposal(state, *state.device(id), {"e", "software.release", nullptr, "v1.9.0", 0});
  EXPECT_FALSE(proposal.accepted);
  EXPECT_NE(proposal.message.find("belongs to the hub"), std::string::npos);
}

}  // namespace
}  // namespace starling::hub
