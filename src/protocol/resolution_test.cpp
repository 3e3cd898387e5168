#include "protocol/resolution.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

namespace starling::protocol {
namespace {

std::shared_ptr<const Component> made(std::string_view name, std::string_view properties) {
  const std::string text =
      R"({"x-component":")" + std::string(name) + R"(","properties":{)" + std::string(properties) + "}}";
  return Component::from_json(parse_json(text).value()).value();
}

const std::shared_ptr<const Component> lamp = made(
    "lamp",
    R"("level":{"type":"integer","minimum":0,"maximum":100,"default":50},"mode":{"type":"string","default":"on"})");
const std::shared_ptr<const Component> lamp_2 = made("lamp_2", R"("level":{"type":"integer","default":7})");

// A stack under construction; references stay valid.
class Stack {
 public:
  Stack& layer(LayerKind kind, std::string scope, int rank = 0) {
    ids_.push_back({kind, std::move(scope)});
    values_.emplace_back();
    views_.push_back({&ids_.back(), &values_.back(), rank});
    return *this;
  }
  Stack& set(std::string_view key, Json value, std::int64_t revision) {
    values_.back().insert_or_assign(std::string(key), LayerEntry{std::move(value), revision});
    return *this;
  }
  LayerValues& top() { return values_.back(); }
  std::span<const LayerView> views() const { return views_; }

 private:
  std::deque<LayerId> ids_;
  std::deque<LayerValues> values_;
  std::vector<LayerView> views_;
};

struct Effective {
  Json value;
  std::string layer;  // "" for the default
  std::int64_t revision;
};

Effective effective(const Stack& stack, std::string_view key) {
  const std::vector components{lamp, lamp_2};
  const std::vector<EffectiveSetting> all = resolve(components, stack.views());
  EXPECT_EQ(all.size(), 3u);
  EXPECT_TRUE(
      std::ranges::is_sorted(all, {}, [](const EffectiveSetting& setting) { return setting.schema->key; }));
  for (const EffectiveSetting& setting : all) {
    if (setting.schema->key == key) {
      return {*setting.value, setting.layer == nullptr ? "" : setting.layer->text(), setting.revision};
    }
  }
  ADD_FAILURE() << "no setting " << key;
  return {};
}

void expect_effective(const Stack& stack, std::string_view key, const Json& value, std::string_view layer,
                      std::int64_t revision) {
  const Effective got = effective(stack, key);
  EXPECT_EQ(got.value, value) << key;
  EXPECT_EQ(got.layer, layer) << key;
  EXPECT_EQ(got.revision, revision) << key;
}

TEST(Resolution, DefaultsHoldWhereNobodyWrote) {
  expect_effective(Stack(), "lamp.level", 50, "", 0);
  expect_effective(Stack(), "lamp_2.level", 7, "", 0);
}

TEST(Resolution, EachLayerBeatsTheOnesBelowKeyByKey) {
  Stack stack;
  stack.layer(LayerKind::fleet, "").set("lamp.level", 1, 10).set("lamp.mode", "fleet", 11);
  expect_effective(stack, "lamp.level", 1, "fleet", 10);
  stack.layer(LayerKind::persona, "TARS").set("lamp.level", 2, 9);
  expect_effective(stack, "lamp.level", 2, "persona:TARS", 9);
  stack.layer(LayerKind::group, "lab", 1).set("lamp.level", 3, 8);
  expect_effective(stack, "lamp.level", 3, "group:lab", 8);
  stack.layer(LayerKind::device, "d").set("lamp.level", 4, 7);
  expect_effective(stack, "lamp.level", 4, "device:d", 7);
  stack.layer(LayerKind::policy_fleet, "").set("lamp.level", 5, 6);
  expect_effective(stack, "lamp.level", 5, "policy", 6);
  stack.layer(LayerKind::policy_device, "d").set("lamp.level", 6, 5);
  expect_effective(stack, "lamp.level", 6, "policy/device:d", 5);
  expect_effective(stack, "lamp.mode", "fleet", "fleet", 11);
  expect_effective(stack, "lamp_2.level", 7, "", 0);
}

TEST(Resolution, BetweenGroupsOfEqualRankTheNewestWriteWins) {
  Stack stack;
  stack.layer(LayerKind::group, "a", 5).set("lamp.level", 1, 20).set("lamp.mode", "a", 1);
  stack.layer(LayerKind::group, "b", 5).set("lamp.level", 2, 10).set("lamp.mode", "b", 2);
  expect_effective(stack, "lamp.level", 1, "group:a", 20);
  expect_effective(stack, "lamp.mode", "b", "group:b", 2);
  stack.layer(LayerKind::group, "c", 6).set("lamp.level", 3, 5);
  expect_effective(stack, "lamp.level", 3, "group:c", 5);
}

TEST(Resolution, RanksOfOtherLayersDoNotMatter) {
  Stack stack;
  stack.layer(LayerKind::fleet, "").set("lamp.level", 1, 20);
  stack.layer(LayerKind::device, "d").set("lamp.level", 2, 10);
  expect_effective(stack, "lamp.level", 2, "device:d", 10);
}

TEST(Resolution, SkipsWhatTheSchemaNoLongerAccepts) {
  Stack stack;
  stack.layer(LayerKind::fleet, "").set("lamp.level", 30, 1);
  stack.layer(LayerKind::device, "d").set("lamp.level", 101, 2).set("lamp.mode", 7, 3);
  expect_effective(stack, "lamp.level", 30, "fleet", 1);
  expect_effective(stack, "lamp.mode", "on", "", 0);
}

TEST(Resolution, IgnoresKeysOfNoComponent) {
  Stack stack;
  stack.layer(LayerKind::fleet, "")
      .set("a.b", 1, 1)
      .set("lamp.aaa", 1, 1)
      .set("lamp.mid", 1, 1)
      .set("lamp.z", 1, 1);
  stack.set("lamp_2.level", 3, 2).set("z.z", 1, 1);
  expect_effective(stack, "lamp.level", 50, "", 0);
  expect_effective(stack, "lamp_2.level", 3, "fleet", 2);
}

TEST(Resolution, SortsComponentsGivenInAnyOrder) {
  const std::vector components{lamp_2, lamp};
  const auto all = resolve(components, {});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].schema->key, "lamp.level");
  EXPECT_EQ(all[2].schema->key, "lamp_2.level");
}

TEST(MarkAccepted, MarksValidEntriesOfTheComponentOnly) {
  Stack stack;
  stack.layer(LayerKind::fleet, "")
      .set("lamp.level", 101, 1)
      .set("lamp.mode", "off", 2)
      .set("lamp_2.level", 1, 3);
  mark_accepted(stack.top(), *lamp);
  EXPECT_FALSE(stack.top()["lamp.level"].accepted_by);
  EXPECT_EQ(stack.top()["lamp.mode"].accepted_by, lamp->schema_hash());
  EXPECT_FALSE(stack.top()["lamp_2.level"].accepted_by);
  expect_effective(stack, "lamp.mode", "off", "fleet", 2);
}

TEST(MarkAccepted, AMarkOfAnotherSchemaIsNotTrusted) {
  Stack stack;
  stack.layer(LayerKind::fleet, "").set("lamp.level", 101, 1);
  stack.top()["lamp.level"].accepted_by = lamp_2->schema_hash();
  expect_effective(stack, "lamp.level", 50, "", 0);
}

TEST(StackOf, ShowsEveryLayerAndTheWinner) {
  Stack stack;
  stack.layer(LayerKind::fleet, "").set("lamp.level", 1, 10);
  stack.layer(LayerKind::persona, "TARS");
  stack.layer(LayerKind::group, "a", 5).set("lamp.level", 2, 20);
  stack.layer(LayerKind::group, "b", 5).set("lamp.level", 3, 15);
  stack.layer(LayerKind::device, "d").set("lamp.level", 101, 30);
  const auto shown = stack_of("lamp.level", lamp.get(), stack.views());
  ASSERT_EQ(shown.size(), 4u);
  EXPECT_EQ(shown[0].layer->id->text(), "fleet");
  EXPECT_FALSE(shown[0].effective);
  EXPECT_TRUE(shown[1].effective);
  EXPECT_EQ(shown[1].entry->revision, 20);
  EXPECT_FALSE(shown[2].effective);
  EXPECT_FALSE(shown[3].accepted);
  EXPECT_FALSE(shown[3].effective);
  EXPECT_TRUE(stack_of("lamp.mode", lamp.get(), stack.views()).empty());
}

TEST(WinnerOf, FollowsTheSameOrder) {
  Stack stack;
  EXPECT_FALSE(winner_of(persona_active_key, nullptr, stack.views()));
  stack.layer(LayerKind::fleet, "").set(persona_active_key, "TARS", 1);
  stack.layer(LayerKind::group, "a", 5).set(persona_active_key, "HAL", 9);
  stack.layer(LayerKind::group, "b", 5).set(persona_active_key, "MARVIN", 8);
  const auto winner = winner_of(persona_active_key, nullptr, stack.views());
  ASSERT_TRUE(winner);
  EXPECT_EQ(winner->entry->value, Json("HAL"));
  EXPECT_EQ(winner->layer->id->text(), "group:a");
}

}  // namespace
}  // namespace starling::protocol
