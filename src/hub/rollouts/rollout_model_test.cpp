// What must hold of every rollout, whatever happens in whatever order: the table is searched through, and
// rollouts are driven by seeds.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "hub/rollouts/rollout.hpp"

namespace starling::hub {
namespace {

constexpr auto states = [] {
  std::array<RolloutState, rollout_states> all{};
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = static_cast<RolloutState>(i);
  return all;
}();

std::set<RolloutState> reachable_from(RolloutState start) {
  std::set<RolloutState> seen{start};
  std::vector<RolloutState> open{start};
  while (!open.empty()) {
    const RolloutState at = open.back();
    open.pop_back();
    for (std::size_t event = 0; event < rollout_events; ++event) {
      const auto next = next_state(at, static_cast<RolloutEvent>(event));
      if (next && seen.insert(*next).second) open.push_back(*next);
    }
  }
  return seen;
}

TEST(RolloutTable, EveryStateIsReachedAndEveryOneEnds) {
  EXPECT_EQ(reachable_from(RolloutState::awaiting).size(), rollout_states);
  for (const RolloutState state : states) {
    SCOPED_TRACE(to_string(state));
    const auto reached = reachable_from(state);
    if (has_ended(state)) {
      EXPECT_EQ(reached.size(), 1u);
      continue;
    }
    EXPECT_EQ(next_state(state, RolloutEvent::abort), RolloutState::aborted);
    const bool yields = state == RolloutState::yielding;
    EXPECT_EQ(next_state(state, RolloutEvent::fail).has_value(), !yields)
        << "its heir's failures are not its own";
    EXPECT_EQ(next_state(state, RolloutEvent::take_up).has_value(), yields);
    EXPECT_TRUE(reached.contains(RolloutState::finished));
  }
}

TEST(RolloutTable, StagesOpenOnlyWhenApprovedAndEndOnlyWhenSoaked) {
  for (const RolloutState state : states) {
    for (std::size_t i = 0; i < rollout_events; ++i) {
      const auto event = static_cast<RolloutEvent>(i);
      const auto next = next_state(state, event);
      if (event == RolloutEvent::open) {
        EXPECT_EQ(next.has_value(), state == RolloutState::ready);
      }
      if (next == RolloutState::finished) {
        EXPECT_EQ(state, RolloutState::soaking);
      }
      if (next == RolloutState::ready) {
        EXPECT_EQ(event, RolloutEvent::approve);
      }
    }
  }
}

TEST(RolloutTable, WhatIsKeptIsReadBack) {
  std::set<std::string_view> names;
  for (const RolloutState state : states) {
    const RolloutState expected = state == RolloutState::soaking ? RolloutState::settling : state;
    EXPECT_EQ(started_from(kept(state)), expected) << to_string(state);
    names.insert(to_string(kept(state)));
  }
  EXPECT_EQ(names.size(), rollout_states - 1);
}

// A rollout with a fleet in which anything may happen.
class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    RolloutRecord record;
    record.id = "rollout-" + std::to_string(seed);
    record.plan.author = "key:0";
    record.plan.values.push_back({{{protocol::LayerKind::fleet, ""}, "a.b"}, 1});
    int share = 0;
    for (const int stages = draw(4); static_cast<int>(record.plan.stages.size()) < stages;) {
      Stage stage;
      if (draw(3) == 0) {
        stage.selector = protocol::Selector::parse("room=lab").value();
      } else {
        stage.share = share += 1 + draw(3000);
      }
      stage.needs_approval = draw(3) == 0;
      record.plan.stages.push_back(stage);
    }
    record.plan.stages.push_back({.share = Stage::whole, .selector = {}, .needs_approval = draw(2) == 0});
    record.plan.soak = minutes(draw(3) * 10);
    record.plan.max_failures = draw(4) * 700;
    record.plan.min_failures = static_cast<std::size_t>(1 + draw(3));
    record.plan.waits_for_absent = draw(3) == 0;
    if (draw(3) == 0) {
      MaintenanceWindow window;
      window.days.set();
      window.at = std::chrono::hours(draw(24));
      window.length = minutes(60 + draw(600));
      record.plan.windows.push_back(window);
    }
    EXPECT_TRUE(check_plan(record.plan));
    rollout_.emplace(std::move(record));
  }

  void step() {
    const int number = draw(60);
    switch (draw(12)) {
      case 0: return commit(rollout_->approve("key:" + std::to_string(draw(3)), now_));
      case 1: return draw(8) == 0 ? commit(rollout_->pause("")) : void();
      case 2: return commit(rollout_->resume());
      case 3: return draw(60) == 0 ? commit(rollout_->abort("")) : void();
      case 4: return draw(90) == 0 ? commit(rollout_->supersede("r2")) : void();
      case 5: return end_heir();
      case 6: return put(number);
      case 7: return draw(4) == 0 ? remove(number) : void();
      case 8:
      case 9: return say(number);
      case 10: now_ += minutes(draw(60)); return;
      default: return look();
    }
  }

  void check() {
    const RolloutRecord& record = rollout_->record();
    const Gate gate = record.gate();
    StageCounts expected;
    for (const auto& [number, device] : devices_) {
      const std::size_t stage = stage_of(device);
      const bool member = gate.admits(device.device.id, device.device.labels);
      EXPECT_EQ(member, record.has_gate() && stage < record.open) << "no device is beyond its stage";
      if (stage < record.open) {
        ++expected.devices;
        if (device.outcome == Outcome::Kind::done) ++expected.done;
        if (device.outcome == Outcome::Kind::failed) ++expected.failed;
        if (device.outcome == Outcome::Kind::none) ++(device.connected ? expected.pending : expected.absent);
      }
      if (has_ended(rollout_->state())) {
        EXPECT_FALSE(member) << "what has ended gates nobody";
      }
    }
    EXPECT_EQ(rollout_->progress().counts(record.open), expected);
    for (const Approval& approval : record.approvals)
      EXPECT_NE(approval.principal, record.plan.author);
    for (std::size_t i = 0; i < record.open; ++i) {
      if (!record.plan.stages[i].needs_approval) continue;
      EXPECT_TRUE(
          std::ranges::any_of(record.approvals, [&](const Approval& each) { return each.stage == i; }));
    }
    const auto read = RolloutRecord::from_json(record.id, record.to_json());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->to_json(), record.to_json());
  }
  RolloutState state() const { return rollout_->state(); }

 private:
  using minutes = std::chrono::minutes;
  struct Simulated {
    Device device;
    bool connected = false;
    Outcome::Kind outcome = Outcome::Kind::none;
  };

  int draw(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  // Told apart from Gate's own way of finding it.
  std::size_t stage_of(const Simulated& each) const {
    const auto& stages = rollout_->record().plan.stages;
    const int place = place_in_rollout(rollout_->record().id, each.device.id);
    std::size_t stage = 0;
    while (stages[stage].share ? *stages[stage].share <= place
                               : each.device.labels.find("room")->second != "lab")
      ++stage;
    return stage;
  }

  void put(int number) {
    Simulated& each = devices_[number];
    each.device.id = "device-" + std::to_string(number);
    each.device.labels = {{"room", draw(4) == 0 ? "lab" : "nursery"}};
    each.connected = draw(5) != 0;
    rollout_->put(each.device, each.connected);
  }
  void remove(int number) {
    devices_.erase(number);
    rollout_->remove("device-" + std::to_string(number));
  }
  void say(int number) {
    const auto found = devices_.find(number);
    if (found == devices_.end()) return;
    found->second.outcome = draw(40) == 0 ? Outcome::Kind::failed : Outcome::Kind::done;
    rollout_->heard(found->second.device.id, {found->second.outcome, now_, "it failed"});
  }
  void end_heir() {
    const int how = draw(120);
    if (how == 0) commit(rollout_->release(""));
    if (how > 100) commit(rollout_->take_up());
  }
  bool over_the_limit() const {
    const RolloutRecord& record = rollout_->record();
    const StageCounts counts = rollout_->progress().counts(record.open);
    const std::size_t heard = counts.done + counts.failed + counts.pending;
    return counts.failed >= record.plan.min_failures &&
           counts.failed * 10'000 > heard * static_cast<std::size_t>(record.plan.max_failures);
  }
  void look() {
    const auto next = rollout_->due(now_);
    if (!next) return;
    const RolloutRecord before = rollout_->record();
    EXPECT_FALSE(has_ended(started_from(before.state)));
    EXPECT_TRUE(next->open == before.open || next->open == before.open + 1)
        << "one stage at a time, forwards";
    if (over_the_limit()) {
      EXPECT_EQ(next->state, KeptRolloutState::stopped);
    }
    if (next->open > before.open) {
      EXPECT_TRUE(any_open(before.plan.windows, now_));
    }
    if (next->open > before.open && before.open > 0) {
      const StageCounts counts = rollout_->progress().counts(before.open);
      const bool soaked = before.state != KeptRolloutState::open;  // some time ago
      EXPECT_TRUE(soaked || counts.pending == 0);
      const std::size_t opened = before.open - 1;
      const bool for_nobody =
          before.plan.stages[opened].share && rollout_->progress().stages()[opened].devices == 0;
      if (!for_nobody) {
        EXPECT_GE(now_ - before.opened_at, before.plan.soak);
      }
    }
    rollout_->adopt(*next);
  }
  void commit(const Result<RolloutRecord>& next) {
    if (next) rollout_->adopt(*next);
  }

  std::mt19937 random_;
  WallTime now_{std::chrono::days(20'000)};
  std::optional<Rollout> rollout_;
  std::map<int, Simulated> devices_;
};

TEST(RolloutModel, HoldsItsPromisesWhateverHappens) {
  std::set<RolloutState> seen;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step) {
      model.step();
      model.check();
      seen.insert(model.state());
    }
    if (testing::Test::HasFailure()) return;
  }
  for (const RolloutState state : states)
    EXPECT_TRUE(seen.contains(state)) << to_string(state) << " is reached by no seed";
}

TEST(Gate, IsEvenStableAndGrows) {
  const std::array<Stage, 3> stages{{{.share = 500}, {.share = 2500}, {.share = Stage::whole}}};
  Gate gate{"r1", stages, 0};
  std::array<int, 3> members{};
  for (int i = 0; i < 4000; ++i) {
    const std::string device = "device-" + std::to_string(i);
    bool before = false;
    for (std::size_t open = 0; open <= 3; ++open) {
      gate.open = open;
      const bool member = gate.admits(device, {});
      EXPECT_TRUE(member || !before) << "who is in stays in";
      EXPECT_EQ(member, gate.admits(device, {}));
      if (open > 0 && member) ++members[open - 1];
      before = member;
    }
  }
  EXPECT_NEAR(members[0], 200, 60);
  EXPECT_NEAR(members[1], 1000, 120);
  EXPECT_EQ(members[2], 4000);
  EXPECT_NE(place_in_rollout("r1", "device-1"), place_in_rollout("r2", "device-1"));
}

}  // namespace
}  // namespace starling::hub
