#include "hub/settings/scope.hpp"

#include <map>
#include <random>
#include <set>

#include "hub/settings/fleet_fixture.hpp"
#include "hub/settings/masking.hpp"

namespace starling::hub {
namespace {

using protocol::LayerId;
using protocol::LayerKind;

class RandomScopes : public FleetFixture {
 public:
  explicit RandomScopes(unsigned seed) : random_(seed) {
    for (const char* persona : personas)
      apply({state.edit(EntityKind::persona, persona, Persona{}.to_json())});
    int priority = 0;
    for (const char* selector : {"room=a", "room", "kind=a|b", "!room", "kind!=a"}) {
      const std::string name = "g" + std::to_string(groups_.size());
      apply({state.edit(EntityKind::group, name,
                        Group{name, *protocol::Selector::parse(selector), priority++ / 2}.to_json())});
      groups_.push_back(name);
    }
    for (int number = 0; number < 12; ++number) {
      protocol::Labels labels;
      for (const char* key : {"room", "kind"}) {
        if (below(3) != 0) labels[key] = std::string(1, static_cast<char>('a' + below(3)));
      }
      add_device(number, "device", labels);
    }
  }

  LayerId some_layer() {
    constexpr LayerKind kinds[] = {LayerKind::fleet,        LayerKind::group,
                                   LayerKind::device,       LayerKind::policy_fleet,
                                   LayerKind::policy_group, LayerKind::policy_device};
    const LayerKind kind = kinds[below(6)];
    if (kind == LayerKind::group || kind == LayerKind::policy_group)
      return {kind, groups_[static_cast<std::size_t>(below(static_cast<int>(groups_.size())))]};
    if (kind == LayerKind::device || kind == LayerKind::policy_device) return {kind, uuid(below(12))};
    return {kind, ""};
  }
  void write_something(const std::string& key, const Json& value) {
    apply({state.edit(EntityKind::setting, SettingId{some_layer(), key}.text(),
                      below(3) == 0 ? Json() : value)});
  }
  void name_a_persona() { write_something(std::string(protocol::persona_active_key), personas[below(3)]); }
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

  static constexpr const char* personas[] = {"Elsa", "TARS", "Yoda"};

 private:
  std::mt19937 random_;
  std::vector<std::string> groups_;
};

std::set<std::string> ids_in(const FleetState& state, const Scope& scope) {
  std::set<std::string> ids;
  for (const Place place : scope.places(state))
    ids.insert(state.device_index().at(place)->id);
  return ids;
}

std::set<std::string> ids_contained(const FleetState& state, const Scope& scope) {
  std::set<std::string> ids;
  for (const auto& [id, device] : state.devices()) {
    if (scope.contains(state, *device)) ids.insert(id);
  }
  return ids;
}

TEST(ScopeTest, PlacesAreThoseOfTheDevicesThatItContains) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    RandomScopes fleet(seed);
    for (int turn = 0; turn < 30; ++turn) {
      fleet.name_a_persona();
      std::vector<LayerId> layers{fleet.some_layer()};
      for (const char* persona : RandomScopes::personas)
        layers.push_back({LayerKind::persona, persona});
      layers.push_back({LayerKind::group, "unknown"});
      layers.push_back({LayerKind::device, "unknown"});
      for (const LayerId& layer : layers) {
        const Scope scope = scope_of(fleet.state, layer);
        const auto expected = ids_contained(fleet.state, scope);
        ASSERT_EQ(ids_in(fleet.state, scope), expected)
            << layer.text() << " seed " << seed << " turn " << turn;
        ASSERT_EQ(scope.count(fleet.state), expected.size()) << layer.text();
      }
    }
  }
}

// On the devices of a masked write another value comes from the layer that masking names.
TEST(ScopeTest, MaskingAgreesWithWhatIsInForce) {
  const std::string key = "hotword.threshold";
  for (unsigned seed = 0; seed < 20; ++seed) {
    RandomScopes fleet(seed);
    for (int turn = 0; turn < 10; ++turn)
      fleet.write_something(key, turn % 3 == 0 ? 0.9 : 0.01 * turn);
    // Last, since among groups of equal priority the newest write wins.
    const LayerId written = fleet.some_layer();
    fleet.apply({fleet.state.edit(EntityKind::setting, SettingId{written, key}.text(), 0.9)});
    const Scope scope = scope_of(fleet.state, written);
    std::map<std::string, std::string> expected;  // the layer, by device
    for (const auto& [id, device] : fleet.state.devices()) {
      if (!scope.contains(fleet.state, *device)) continue;
      const auto stack = fleet.state.stack(*device);
      const auto* component = fleet.state.catalog().component("hotword");
      const auto winner = protocol::winner_of(key, component, stack.layers);
      ASSERT_TRUE(winner);
      if (winner->entry->value != Json(0.9)) expected.emplace(id, winner->layer->id->text());
    }
    const Masking masking = find_masked(fleet.state, scope, {{key, 0.9}}, 100);
    std::map<std::string, std::string> masked;
    for (const MaskedValue& value : masking.first)
      masked.emplace(value.device->id, value.layer.text());
    EXPECT_EQ(masked, expected) << written.text() << " seed " << seed;
    EXPECT_EQ(masking.count, expected.size());
    EXPECT_EQ(find_masked(fleet.state, scope, {{key, 0.9}}, 1).first.size(),
              std::min<std::size_t>(1, expected.size()));
  }
}

TEST(ScopeTest, DevicesAreFoundByIdOrByNameIfOnlyOneHasIt) {
  FleetFixture fleet;
  const std::string bear = fleet.add_device(1, "bear");
  fleet.add_device(2, "robot");
  fleet.add_device(3, "robot");
  EXPECT_EQ((*find_device(fleet.state, bear))->name, "bear");
  EXPECT_EQ((*find_device(fleet.state, "bear"))->id, bear);
  EXPECT_EQ(find_device(fleet.state, "robot").error().code, ErrorCode::failed_precondition);
  EXPECT_EQ(find_device(fleet.state, "nobody").error().code, ErrorCode::not_found);
  EXPECT_EQ(find_device(fleet.state, FleetFixture::uuid(9)).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace starling::hub
