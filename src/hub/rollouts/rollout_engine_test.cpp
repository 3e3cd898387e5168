#include "hub/rollouts/rollout_engine.hpp"

#include <gtest/gtest.h>

#include "base/uuid.hpp"
#include "hub/hub.hpp"
#include "hub/queue_executor.hpp"
#include "hub/rollouts/rollout_edits.hpp"
#include "hub/store/memory_store.hpp"

namespace starling::hub {
namespace {

// Each look at it takes a millisecond.
class BusyClock final : public Clock {
 public:
  SteadyTime steady() const override { return SteadyTime(Milliseconds(++looks_)); }
  WallTime wall() const override { return WallTime(std::chrono::days(20'000)); }

 private:
  mutable std::int64_t looks_ = 0;
};

class RolloutEngineTest : public testing::Test {
 protected:
  RolloutEngineTest() : store(executor, clock, make_uuid_v4()), hub(store, executor, clock, nullptr, {}) {
    EXPECT_TRUE(hub.load());
    hub.changes().add_fleet("default");
    change([](const FleetState& head) {
      std::vector<Edit> edits;
      for (int i = 0; i < devices; ++i) {
        const std::string id = "device-" + std::to_string(i);
        Device device;
        device.id = device.name = id;
        edits.push_back(head.edit(EntityKind::device, id, device.to_json()));
      }
      return edits;
    });
  }
  ~RolloutEngineTest() override {
    hub.stop();
    executor.run_all();
  }
  template <typename Edits>
  void change(Edits edits) {
    hub.changes().append(
        "default",
        [edits](const FleetState& head, std::int64_t) -> Result<Draft> {
          Draft draft;
          draft.edits = edits(head);
          return draft;
        },
        [](const Result<SharedChange>& done) { EXPECT_TRUE(done); });
    executor.run_all();
  }
  void start() {
    change([](const FleetState& head) {
      RolloutRecord record;
      record.id = "r1";
      record.plan.author = "key:author";
      record.plan.values.push_back({{{protocol::LayerKind::fleet, ""}, "modules.voice.enabled"}, true});
      record.plan.stages.push_back({.share = Stage::whole});
      return plan_rollout(head, std::move(record), head.revision() + 1, false).value();
    });
  }
  std::size_t seen() const { return hub.rollouts().find("default", "r1")->progress().counts(1).devices; }

  static constexpr int devices = 500;
  QueueExecutor executor;
  BusyClock clock;
  MemoryStore store;
  mutable Hub hub;
};

TEST_F(RolloutEngineTest, LooksAtDevicesInTurnsSoThatNobodyWaits) {
  start();
  hub.tick();
  const std::size_t in_one_turn = seen();
  EXPECT_GT(in_one_turn, 0u);
  EXPECT_LT(in_one_turn, 100u);
  EXPECT_FALSE(executor.idle()) << "the next turn is to come";
  EXPECT_EQ(hub.rollouts().find("default", "r1")->record().open, 0u) << "who decides knows of all";
  executor.run_all();
  EXPECT_EQ(seen(), static_cast<std::size_t>(devices));
  EXPECT_EQ(hub.rollouts().find("default", "r1")->record().open, 1u);
}

TEST_F(RolloutEngineTest, WhatIsWrittenBesideItIsNoReasonToLookAtAll) {
  start();
  hub.tick();
  executor.run_all();
  hub.tick();
  executor.run_all();
  change([](const FleetState& head) {
    return std::vector{head.edit(EntityKind::setting, "fleet modules.leds.enabled", true)};
  });
  hub.tick();
  EXPECT_TRUE(executor.idle());
  change([](const FleetState& head) {
    return std::vector{head.edit(EntityKind::group, "lab",
                                 Group{"lab", protocol::Selector::parse("room=lab").value(), 0}.to_json())};
  });
  hub.tick();
  EXPECT_FALSE(executor.idle()) << "it may be one that masks";
}

}  // namespace
}  // namespace starling::hub
