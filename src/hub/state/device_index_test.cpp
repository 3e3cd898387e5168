#include "hub/state/device_index.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "hub/state/fleet_state.hpp"

namespace starling::hub {
namespace {

using Ids = std::set<std::string>;

constexpr const char* selectors[] = {
    "",
    "room=a",
    "room=a|b",
    "room=a|b|nowhere",
    "room!=a",
    "room",
    "!room",
    "nothing",
    "!nothing",
    "nothing!=a",
    "room=a,kind=a",
    "room=a|c,kind!=b",
    "kind,!room",
    "!kind,!room",
    "room=a,room=b",
    "room!=a,kind!=a,serial",
    "serial=s7",
    "serial=s7|s8,room",
};

Ids ids_of(const DeviceIndex& index, const Places& places) {
  Ids ids;
  for (const Place place : places)
    ids.insert(index.at(place)->id);
  EXPECT_EQ(ids.size(), places.size());
  return ids;
}

// Everything that the index says is what a look at every device says.
void expect_right(const FleetState& state, const DeviceIndex& index) {
  ASSERT_EQ(index.size(), state.devices().size());
  std::map<std::string, Ids> by_name;
  for (const auto& [id, device] : state.devices()) {
    by_name[device->name].insert(id);
    const auto place = index.place_of(id);
    ASSERT_TRUE(place);
    EXPECT_EQ(index.at(*place), device.get());
    EXPECT_LT(*place, index.end_place());
  }
  for (const char* text : selectors) {
    const auto selector = protocol::Selector::parse(text);
    ASSERT_TRUE(selector) << text;
    Ids expected;
    for (const auto& [id, device] : state.devices()) {
      if (selector->matches(device->labels)) expected.insert(id);
    }
    const Places places = index.matching(*selector);
    EXPECT_TRUE(std::ranges::is_sorted(places));
    EXPECT_EQ(ids_of(index, places), expected) << text;
    EXPECT_EQ(index.count(*selector), expected.size()) << text;
  }
  EXPECT_EQ(index.all().size(), index.size());
  for (const auto& [name, ids] : by_name) {
    Ids named;
    for (const Device* device : index.named(name, 1000))
      named.insert(device->id);
    EXPECT_EQ(named, ids) << name;
    EXPECT_EQ(index.named(name, 1).size(), 1u);
  }
  EXPECT_TRUE(index.named("nobody", 2).empty());
  EXPECT_FALSE(index.place_of("nobody"));
}

class RandomFleet {
 public:
  explicit RandomFleet(unsigned seed) : random_(seed) {}

  void change(FleetState& state) {
    Change change;
    change.revision = state.revision() + 1;
    for (int edits = 1 + below(3); edits > 0; --edits) {
      const std::string id = "d" + std::to_string(below(60));
      const Json after = below(3) == 0 ? Json() : some_device();
      change.edits.push_back(state.edit(EntityKind::device, id, after));
    }
    ASSERT_TRUE(state.apply(change));
  }

 private:
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }
  Json some_device() {
    Device device;
    device.name = "name " + std::to_string(below(20));
    for (const char* key : {"room", "kind"}) {
      if (below(4) != 0) device.labels[key] = std::string(1, static_cast<char>('a' + below(3)));
    }
    if (below(2) == 0) device.labels["serial"] = "s" + std::to_string(below(40));
    return device.to_json();
  }

  std::mt19937 random_;
};

TEST(DeviceIndexTest, AfterRandomEditsItIsAsIfBuiltFromScratch) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    RandomFleet random(seed);
    FleetState state("default");
    for (int turn = 0; turn < 150; ++turn) {
      random.change(state);
      ASSERT_NO_FATAL_FAILURE(expect_right(state, state.device_index()))
          << "seed " << seed << " turn " << turn;
    }
    DeviceIndex scratch;
    for (const auto& [id, device] : state.devices())
      scratch.add(*device);
    expect_right(state, scratch);
    EXPECT_LE(state.device_index().end_place(), 60u) << "places are used again";
  }
}

// The head is made anew from the published state when a commit fails.
TEST(DeviceIndexTest, ACopyOfAStateGoesItsOwnWay) {
  RandomFleet random(7);
  FleetState published("default");
  for (int turn = 0; turn < 50; ++turn)
    random.change(published);
  FleetState head = published;
  for (int turn = 0; turn < 50; ++turn) {
    random.change(head);
    if (turn % 2 == 0) random.change(published);
    ASSERT_NO_FATAL_FAILURE(expect_right(head, head.device_index()));
    ASSERT_NO_FATAL_FAILURE(expect_right(published, published.device_index()));
  }
  head = published;
  expect_right(head, head.device_index());
}

TEST(DeviceIndexTest, NothingStaysOfWhatHasGone) {
  FleetState state("default");
  RandomFleet random(3);
  for (int turn = 0; turn < 40; ++turn)
    random.change(state);
  Change change;
  change.revision = state.revision() + 1;
  for (const auto& [id, device] : state.devices())
    change.edits.push_back(state.edit(EntityKind::device, id, Json()));
  ASSERT_TRUE(state.apply(change));
  expect_right(state, state.device_index());
  for (Place place = 0; place < state.device_index().end_place(); ++place)
    EXPECT_EQ(state.device_index().at(place), nullptr);
}

TEST(DeviceIndexTest, TheFirstOfSomePlacesAreInOrderOfId) {
  FleetState state("default");
  for (const char* id : {"d3", "d1", "d4", "d2"}) {
    ASSERT_TRUE(state.load(EntityKind::device, id, Device{}.to_json(), 1));
  }
  const DeviceIndex& index = state.device_index();
  const auto first = index.first_by_id(index.all(), 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0]->id, "d1");
  EXPECT_EQ(first[1]->id, "d2");
  EXPECT_EQ(index.first_by_id(index.all(), 100).size(), 4u);
  EXPECT_TRUE(index.first_by_id({}, 100).empty());
}

// Both ways: searching for each of a few, and running through both.
TEST(DeviceIndexTest, CommonPlaces) {
  Places many(1000);
  for (Place place = 0; place < many.size(); ++place)
    many[place] = 2 * place;
  EXPECT_EQ(common({1, 2, 3, 4, 1998, 2000}, many), (Places{2, 4, 1998}));
  EXPECT_EQ(common(many, {1, 2, 3, 4, 1998, 2000}), (Places{2, 4, 1998}));
  EXPECT_TRUE(common({}, many).empty());
  EXPECT_TRUE(common(many, {}).empty());
}

}  // namespace
}  // namespace starling::hub
