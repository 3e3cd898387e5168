#include "hub/settings/personas.hpp"

#include "hub/settings/explain.hpp"
#include "hub/settings/fleet_fixture.hpp"
#include "hub/settings/rollback.hpp"

namespace starling::hub {
namespace {

class PersonaPlans : public testing::Test, public FleetFixture {
 protected:
  Result<std::vector<Edit>> plan(std::string_view text) {
    const auto personas = parse_personas(json(text));
    if (!personas) return fail(personas);
    return plan_personas(state, *personas, true);
  }
  void import(std::string_view text) {
    const auto edits = plan(text);
    ASSERT_TRUE(edits) << edits.error().message;
    if (!edits->empty()) apply(*edits);
  }
  void activate(const std::string& name, Target target = {}) {
    const auto write = plan_settings(state, persona_switch(name, std::move(target)));
    ASSERT_TRUE(write) << write.error().message;
    apply(write->edits);
  }
  Json effective(int number, const std::string& key) {
    const auto value = effective_value(state, device(number), key);
    return value ? value->value : Json();
  }
};

TEST_F(PersonaPlans, ImportKeepsFieldsAndTurnsPiConfigIntoSettings) {
  import(
      R"({"TARS":{"voice_id":"v1","pi_config":{"HOTWORD_MODELS":["Hey_Tars.tflite"],"hotword.threshold":0.4},
             "extra":{"humour":75}},"Plain":{"voice_id":"v2"}})");
  ASSERT_EQ(state.personas().size(), 2u);
  const auto shown = persona_json(state, *state.personas().at("TARS"));
  EXPECT_EQ(Json(shown), json(R"({"voice_id":"v1","extra":{"humour":75},
      "pi_config":{"HOTWORD_MODELS":["Hey_Tars.tflite"],"HOTWORD_THRESHOLD":0.4}})"));
  EXPECT_EQ(plan(R"({"Plain":{"voice_id":"v2"}})")->size(), 0u) << "what is there already changes nothing";
}

TEST_F(PersonaPlans, WhatWasReadCanBeWrittenBackAndHasALimit) {
  EXPECT_TRUE(parse_persona("TARS", json(R"({"name":"TARS"})"), "")->fields.empty());
  EXPECT_EQ(parse_persona("TARS", json(R"({"name":"Tars the robot"})"), "")->fields.size(), 1u);
  const JsonObject large{{"prompt", std::string(70'000, 'x')}};
  EXPECT_EQ(parse_persona("TARS", large, "").error().code, ErrorCode::too_large);
}

TEST_F(PersonaPlans, ErrorsNamePersonaAndKey) {
  struct Case {
    const char* text;
    const char* pointer;
  };
  constexpr Case cases[] = {
      {R"([])", ""},
      {R"({})", ""},
      {R"({"TARS":7})", "/TARS"},
      {R"({"none":{}})", "/none"},
      {R"({"a/b":{}})", "/a/b"},
      {R"({"TARS":{"pi_config":[]}})", "/TARS/pi_config"},
      {R"({"TARS":{"pi_config":{"HOTWORD_MODEL":[]}}})", "/TARS/pi_config/HOTWORD_MODEL"},
      {R"({"TARS":{"pi_config":{"HOTWORD_MODELS":null}}})", "/TARS/pi_config/HOTWORD_MODELS"},
      {R"({"TARS":{"pi_config":{"HOTWORD_MODELS":[1]}}})", "/TARS/pi_config/HOTWORD_MODELS/0"},
      {R"({"TARS":{"pi_config":{"persona.active":"TARS"}}})", "/TARS/pi_config/persona.active"},
  };
  for (const Case& each : cases) {
    const auto edits = plan(each.text);
    ASSERT_FALSE(edits) << each.text;
    EXPECT_EQ(edits.error().code, ErrorCode::invalid_argument) << each.text;
    EXPECT_EQ(edits.error().field, each.pointer) << edits.error().message;
  }
  const auto unknown = plan(cases[6].text);
  EXPECT_NE(unknown.error().message.find("TARS"), std::string::npos);
  EXPECT_NE(unknown.error().message.find("HOTWORD_MODEL"), std::string::npos);
}

TEST_F(PersonaPlans, SwitchTakesAllFormerValuesAway) {
  add_device(1, "bear");
  import(R"({"TARS":{"pi_config":{"HOTWORD_THRESHOLD":0.4,"HOTWORD_PHRASE":"hey tars"}},"Plain":{}})");
  activate("TARS");
  EXPECT_EQ(effective(1, "hotword.threshold"), Json(0.4));
  activate("Plain");
  EXPECT_EQ(effective(1, "hotword.threshold"), Json(0.5));
  EXPECT_EQ(effective(1, "hotword.phrase"), Json("hey starling"));
  activate("none");
  EXPECT_TRUE(effective(1, "persona.active").is_null());
}

TEST_F(PersonaPlans, ReplacingTakesAwayWhatIsNoLongerThere) {
  import(R"({"TARS":{"voice_id":"v","pi_config":{"HOTWORD_THRESHOLD":0.4,"HOTWORD_PHRASE":"hey tars"}}})");
  import(R"({"TARS":{"pi_config":{"HOTWORD_PHRASE":"tars"}}})");
  EXPECT_EQ(Json(persona_json(state, *state.personas().at("TARS"))),
            json(R"({"pi_config":{"HOTWORD_PHRASE":"tars"}})"));
}

TEST_F(PersonaPlans, ActivePersonaCannotBeRemoved) {
  add_device(1, "bear");
  import(R"({"TARS":{"pi_config":{"HOTWORD_PHRASE":"tars"}}})");
  activate("TARS", Target{Target::Kind::device, "bear", false});
  const auto refused = plan_persona_removal(state, "TARS");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
  EXPECT_NE(refused.error().message.find("device:" + uuid(1)), std::string::npos) << refused.error().message;
  activate("none", Target{Target::Kind::device, "bear", false});
  const auto removed = plan_persona_removal(state, "TARS");
  ASSERT_TRUE(removed);
  apply(*removed);
  EXPECT_TRUE(state.personas().empty());
  EXPECT_TRUE(state.layer({protocol::LayerKind::persona, "TARS"}).empty());
  EXPECT_EQ(plan_persona_removal(state, "TARS").error().code, ErrorCode::not_found);
}

TEST_F(PersonaPlans, ExplainShowsTheWholeStackHighestFirst) {
  add_device(1, "bear", {{"room", "nursery"}});
  import(R"({"TARS":{"pi_config":{"HOTWORD_THRESHOLD":0.4}}})");
  activate("TARS");
  for (const auto& [target, value] :
       std::vector<std::pair<Target, double>>{{{Target::Kind::fleet, "", false}, 0.1},
                                              {{Target::Kind::selector, "room=nursery", false}, 0.6},
                                              {{Target::Kind::device, "bear", false}, 0.7},
                                              {{Target::Kind::selector, "room=nursery", true}, 0.8}}) {
    SettingsWrite write;
    write.target = target;
    write.values = {{"hotword.threshold", value}};
    apply(plan_settings(state, write)->edits);
  }
  const auto explanation = explain(state, device(1), "HOTWORD_THRESHOLD");
  ASSERT_TRUE(explanation);
  std::vector<std::string> layers;
  for (const auto& entry : explanation->stack)
    layers.push_back(entry.layer.text());
  EXPECT_EQ(layers, (std::vector<std::string>{"policy/group:room=nursery", "device:" + uuid(1),
                                              "group:room=nursery", "persona:TARS", "fleet", "defaults"}));
  EXPECT_EQ(explanation->winner.text(), "policy/group:room=nursery");
  EXPECT_TRUE(explanation->stack.front().in_force);
  EXPECT_EQ(explanation->effective, Json(0.8));
  EXPECT_FALSE(explain(state, device(1), "hotword.nothing"));
}

TEST_F(PersonaPlans, RollbackIsTheExactOppositeOfWhatCameAfter) {
  add_device(1, "bear", {{"room", "nursery"}});
  import(R"({"TARS":{"voice_id":"v1","pi_config":{"HOTWORD_THRESHOLD":0.4}}})");
  activate("TARS");
  const FleetState then = state;
  import(R"({"TARS":{"voice_id":"v2","pi_config":{"HOTWORD_PHRASE":"tars"}},"New":{}})");
  activate("New");
  SettingsWrite write;
  write.target = {Target::Kind::selector, "room=nursery", false};
  write.values = {{"hotword.threshold", 0.9}};
  apply(plan_settings(state, write)->edits);
  add_device(2, "late");

  Rollback rollback(then.revision());
  EXPECT_EQ(rollback.plan(state).error().code, ErrorCode::conflict) << "the log was not read yet";
  rollback.read(std::span(log).subspan(static_cast<std::size_t>(then.revision())));
  const auto edits = rollback.plan(state);
  ASSERT_TRUE(edits) << edits.error().message;
  apply(*edits);
  EXPECT_EQ(diff_layers(then, state).size(), 0u);
  EXPECT_EQ(persona_json(state, *state.personas().at("TARS")),
            persona_json(then, *then.personas().at("TARS")));
  EXPECT_EQ(state.personas().size(), 1u);
  EXPECT_EQ(state.groups().size(), 1u) << "it has come since, and stays without values";
  EXPECT_EQ(state.devices().size(), 2u) << "devices are not rolled back";
}

}  // namespace
}  // namespace starling::hub
