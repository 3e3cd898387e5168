#include "hub/state/fleet_state.hpp"

#include <gtest/gtest.h>

namespace starling::hub {
namespace {

using protocol::LayerId;
using protocol::LayerKind;

class FleetStateTest : public ::testing::Test {
 protected:
  void put(EntityKind kind, const std::string& id, const Json& body) {
    Change change;
    change.fleet = "default";
    change.revision = state_.revision() + 1;
    change.edits.push_back(state_.edit(kind, id, body));
    const auto applied = state_.apply(change);
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void set(const std::string& layer, const std::string& key, const Json& value) {
    put(EntityKind::setting, layer + " " + key, value);
  }
  void group(const std::string& name, const std::string& selector, std::int64_t priority) {
    Group made;
    made.selector = *protocol::Selector::parse(selector);
    made.priority = priority;
    put(EntityKind::group, name, made.to_json());
  }
  std::vector<std::string> stack_names() const {
    std::vector<std::string> names;
    for (const auto& view : state_.stack(device_).layers)
      names.push_back(view.id->text());
    return names;
  }
  std::string persona_name() const {
    const Persona* persona = state_.stack(device_).persona;
    return persona == nullptr ? "" : persona->name;
  }
  static Device nursery_device() {
    Device device;
    device.id = "d1";
    device.labels = {{"room", "nursery"}};
    return device;
  }

  FleetState state_{"default"};
  Device device_ = nursery_device();
};

TEST_F(FleetStateTest, StackRunsFromFleetToPolicyAndLeavesOutWhatIsEmpty) {
  group("nursery", "room=nursery", 5);
  group("labs", "room=lab", 9);
  put(EntityKind::persona, "TARS", Persona{}.to_json());
  set("policy/device:d1", "k.a", 1);
  set("policy", "k.a", 1);
  set("policy/group:nursery", "k.a", 1);
  set("device:d1", "k.a", 1);
  set("group:nursery", "k.a", 1);
  set("group:labs", "k.a", 1);
  set("persona:TARS", "k.a", 1);
  set("fleet", "persona.active", "TARS");
  EXPECT_EQ(stack_names(), (std::vector<std::string>{"fleet", "persona:TARS", "group:nursery", "device:d1",
                                                     "policy", "policy/group:nursery", "policy/device:d1"}));
  put(EntityKind::setting, "device:d1 k.a", nullptr);
  EXPECT_EQ(stack_names().size(), 6u);
}

TEST_F(FleetStateTest, GroupsOfEqualPriorityShareARank) {
  group("a", "room=nursery", 1);
  group("b", "room", 1);
  group("c", "!kind", 2);
  for (const char* layer : {"group:a", "group:b", "group:c"})
    set(layer, "k.a", 1);
  const auto layers = state_.stack(device_).layers;
  ASSERT_EQ(layers.size(), 3u);
  EXPECT_EQ(layers[0].rank, layers[1].rank);
  EXPECT_LT(layers[1].rank, layers[2].rank);
}

TEST_F(FleetStateTest, PersonaComesFromTheHighestLayerThatNamesOne) {
  for (const char* name : {"TARS", "Yoda", "Elsa"})
    put(EntityKind::persona, name, Persona{}.to_json());
  group("a", "room=nursery", 0);
  group("b", "room", 0);
  EXPECT_EQ(persona_name(), "");
  set("fleet", "persona.active", "TARS");
  EXPECT_EQ(persona_name(), "TARS");
  set("group:b", "persona.active", "Yoda");
  set("group:a", "persona.active", "Elsa");
  EXPECT_EQ(persona_name(), "Elsa") << "the newest write among equal groups";
  set("group:b", "persona.active", "TARS");
  EXPECT_EQ(persona_name(), "TARS");
  set("device:d1", "persona.active", "Yoda");
  EXPECT_EQ(persona_name(), "Yoda");
  put(EntityKind::persona, "Yoda", nullptr);
  EXPECT_EQ(persona_name(), "") << "a persona that is gone is nobody";
}

TEST_F(FleetStateTest, LayerRevisionTellsOfWritesAlsoOfThoseThatEmptyIt) {
  const LayerId fleet{LayerKind::fleet, ""};
  EXPECT_EQ(state_.layer_revision(fleet), 0);
  set("fleet", "k.a", 1);
  EXPECT_EQ(state_.layer_revision(fleet), 1);
  put(EntityKind::setting, "fleet k.a", nullptr);
  EXPECT_EQ(state_.layer_revision(fleet), 2);
  EXPECT_TRUE(state_.layer(fleet).empty());
}

TEST_F(FleetStateTest, BodiesRoundTripAndEditsCarryWhatWas) {
  Key key;
  key.name = "ops";
  key.secret_hash = sha256("secret");
  key.grants = {{"default", Role::operator_, *protocol::Selector::parse("room=lab")}};
  key.expires_at_ms = 99;
  Device device = device_;
  device.name = "kitchen";
  device.public_key = "abc";
  device.clone_of = "other";
  ActionRequest action;
  action.name = "identify";
  action.parameters = {{"seconds", 3}};
  action.selector = *protocol::Selector::parse("room=lab");
  action.expires_at_ms = 1'000'000'000;
  const std::vector<std::pair<EntityKind, Json>> bodies{
      {EntityKind::key, key.to_json()},
      {EntityKind::device, device.to_json()},
      {EntityKind::action, action.to_json()},
      {EntityKind::setting, JsonArray{"a", 1}},
      {EntityKind::release, JsonObject{{"type", "urgent"}}},
  };
  for (const auto& [kind, body] : bodies) {
    const std::string id = kind == EntityKind::setting ? "fleet k.a" : "x1";
    EXPECT_TRUE(state_.body(kind, id).is_null());
    put(kind, id, body);
    EXPECT_EQ(state_.body(kind, id), body) << to_string(kind);
    EXPECT_EQ(state_.edit(kind, id, nullptr).before, body);
    put(kind, id, nullptr);
    EXPECT_TRUE(state_.body(kind, id).is_null());
  }
}

TEST_F(FleetStateTest, DamagedBodiesAreRefused) {
  const std::vector<std::pair<EntityKind, Json>> damaged{
      {EntityKind::device, "text"},
      {EntityKind::key, JsonObject{{"secret_hash", "xyz"}}},
      {EntityKind::key, JsonObject{{"grants", JsonArray{JsonObject{{"fleet", "f"}, {"role", "king"}}}}}},
      {EntityKind::group, JsonObject{{"selector", "=,="}}},
      {EntityKind::component, JsonObject{}},
      {EntityKind::release, JsonArray{}},
  };
  for (const auto& [kind, body] : damaged) {
    Change change;
    change.revision = 1;
    change.edits.push_back({kind, "x", nullptr, body});
    FleetState state("default");
    EXPECT_FALSE(state.apply(change)) << to_string(kind);
  }
}

Json component_file(const std::string& name, const std::string& alias) {
  JsonObject setting{{"type", "integer"}, {"default", 1}};
  if (!alias.empty()) setting["x-alias"] = alias;
  return JsonObject{
      {"x-component", name}, {"type", "object"}, {"properties", JsonObject{{"level", setting}}}};
}

TEST_F(FleetStateTest, AnAliasOfAnotherComponentIsRefusedAndNothingIsHalfApplied) {
  put(EntityKind::component, "lamp", component_file("lamp", "LEVEL"));
  Change change;
  change.revision = 2;
  change.edits = {state_.edit(EntityKind::setting, "fleet lamp.level", 7),
                  state_.edit(EntityKind::component, "bulb", component_file("bulb", "")),
                  state_.edit(EntityKind::component, "horn", component_file("horn", "LEVEL"))};
  const auto applied = state_.apply(change);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::already_exists);
  for (const char* named : {"horn.level", "LEVEL", "lamp.level"})
    EXPECT_NE(applied.error().message.find(named), std::string::npos) << applied.error().message;
  EXPECT_EQ(state_.revision(), 1);
  EXPECT_EQ(state_.catalog().components().size(), 1u);
  EXPECT_EQ(state_.catalog_revision(), 1);
  EXPECT_EQ(state_.catalog().find("LEVEL")->key, "lamp.level");
  EXPECT_TRUE(state_.layer({LayerKind::fleet, ""}).empty());
}

TEST_F(FleetStateTest, AnAliasMayGoFromOneComponentToAnotherInOneChange) {
  put(EntityKind::component, "lamp", component_file("lamp", "LEVEL"));
  Change change;
  change.revision = 2;
  change.edits = {state_.edit(EntityKind::component, "horn", component_file("horn", "LEVEL")),
                  state_.edit(EntityKind::component, "lamp", component_file("lamp", "LAMP_LEVEL")),
                  state_.edit(EntityKind::setting, "fleet horn.level", 3)};
  const auto applied = state_.apply(change);
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(state_.catalog().find("LEVEL")->key, "horn.level");
  EXPECT_EQ(state_.catalog().find("LAMP_LEVEL")->key, "lamp.level");
  put(EntityKind::component, "lamp", nullptr);
  EXPECT_EQ(state_.catalog().find("LAMP_LEVEL"), nullptr);
  EXPECT_EQ(state_.catalog_revision(), 3);
}

TEST_F(FleetStateTest, KeysAreShownWithoutTheirHash) {
  Key key;
  key.secret_hash = sha256("secret");
  Change change;
  change.edits.push_back({EntityKind::key, "k1", nullptr, key.to_json()});
  EXPECT_EQ(boost::json::serialize(change.to_json()).find(key.secret_hash.hex()), std::string::npos);
}

}  // namespace
}  // namespace starling::hub
