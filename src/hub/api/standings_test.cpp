#include "hub/api/standings.hpp"

#include <random>

#include "hub/device_link/link_fixture.hpp"

namespace starling::hub {
namespace {

using protocol::ConfigUpdate;
using protocol::Phase;
using Standing = DeviceDescription::Standing;

class StandingsTest : public LinkFixture {
 protected:
  const FleetState& state() { return *hub.changes().published("default"); }

  // As it is without remembering anything.
  Standing asked_now(const Device& device) {
    const auto settings = protocol::Section::settings;
    const SyncStatus status = hub.sessions().sync_statuses(device).settings;
    if (status != SyncStatus::offline) return description.standing(settings, status, device);
    return description.standing_offline(settings, state(), device);
  }
  void expect_right(const std::string& when) {
    FleetStandings& remembered = standings.of(state());
    for (const auto& [id, device] : state().devices()) {
      const auto place = state().device_index().place_of(id);
      ASSERT_TRUE(place);
      const auto status = remembered.sync(*place);
      ASSERT_TRUE(status);
      EXPECT_EQ(to_string(*status), to_string(hub.sessions().sync_status(*device))) << when;
      EXPECT_EQ(remembered.standing(*place, {.settings = true}), asked_now(*device)) << when;
    }
  }
  // What was asked anew since the last call.
  bool asks_more_than_a_turn() { return standings.of(state()).turn_is_over(); }

  DeviceDescription description{hub};
  Standings standings{hub, description};
};

// Asks right after a change is published, before the sessions have told their devices of it.
class AskingObserver final : public ChangeObserver {
 public:
  AskingObserver(ChangeLog& log, std::function<void()> ask) : log_(log), ask_(std::move(ask)) {
    log_.observe(*this);
  }
  ~AskingObserver() override { log_.stop_observing(*this); }
  void on_change(const SharedChange&, const FleetState&) override { ask_(); }

 private:
  ChangeLog& log_;
  std::function<void()> ask_;
};

class Events {
 public:
  explicit Events(unsigned seed) : random_(seed) {}
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

 private:
  std::mt19937 random_;
};

class RandomStandingsTest : public StandingsTest {
 protected:
  bool connected(const TestDevice& device) { return hub.sessions().online(device.id); }
  bool registered(const TestDevice& device) { return state().device(device.id) != nullptr; }

  void answer(TestDevice& device, Phase phase) {
    const auto updates = device.peer.take_all<ConfigUpdate>();
    if (updates.empty()) return;
    const ConfigUpdate& update = updates.back();
    if (phase == Phase::applied && updates.size() == 1) return apply(device, update);
    if (phase == Phase::refused) device.refused = update.hash;
    say(device, protocol::ConfigStatus{protocol::Section::settings,
                                       update.hash,
                                       update.revision,
                                       device.applied,
                                       phase == Phase::applied ? Phase::refused : phase,
                                       {}});
  }
  void report_by_rest(TestDevice& device, const char* status) {
    DeviceRecord& record = hub.records().edit("default", device.id);
    record.rest_status = status;
    record.last_seen_ms = clock.wall().time_since_epoch().count();
    hub.sessions().heard_by_rest(record);
  }
  void relabel(TestDevice& device, const std::string& room) {
    Device changed = *state().device(device.id);
    changed.labels["room"] = room;
    change({{EntityKind::device, device.id, changed.to_json()}});
  }
  std::string some_event(Events& events) {
    TestDevice& device = *devices[static_cast<std::size_t>(events.below(static_cast<int>(devices.size())))];
    const double value = events.below(100) / 100.0;
    if (!registered(device)) {
      add_device(events.below(2) == 0 ? "nursery" : "lab");
      return "registered";
    }
    switch (events.below(12)) {
      case 0: set("fleet", "hotword.threshold", value); return "fleet";
      case 1: set("device:" + device.id, "hotword.threshold", value); return "own layer";
      case 2: set("group:labs", "hotword.threshold", value); return "group's layer";
      case 3: relabel(device, events.below(2) == 0 ? "nursery" : "lab"); return "labels";
      case 4:
        clock.advance(Seconds(400));
        hub.tick();  // who has fallen silent is announced
        return "time";
      case 5: report_by_rest(device, events.below(2) == 0 ? "online" : "offline"); return "rest";
      case 6:
        if (events.below(4) != 0) return "nothing";
        device.session.reset();
        change({{EntityKind::device, device.id, Json()}});
        return "removed";
      case 7: device.session.reset(); return "left";
      case 8: add_device(); return "registered";
      default: break;
    }
    if (!connected(device)) {
      join(device).clear();
      return "joined";
    }
    constexpr Phase phases[] = {Phase::applied, Phase::applied, Phase::staging, Phase::refused};
    answer(device, phases[events.below(4)]);
    return "answered";
  }
};

TEST_F(RandomStandingsTest, WhatIsRememberedIsWhatIsTrue) {
  Group labs;
  labs.selector = *protocol::Selector::parse("room=lab");
  change({{EntityKind::group, "labs", labs.to_json()}});
  for (int i = 0; i < 4; ++i)
    add_device(i % 2 == 0 ? "nursery" : "lab");
  const AskingObserver observer(hub.changes(), [this] { expect_right("just published"); });
  Events events(11);
  for (int turn = 0; turn < 600; ++turn) {
    const std::string event = some_event(events);
    ASSERT_NO_FATAL_FAILURE(expect_right(event + " in turn " + std::to_string(turn)));
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(StandingsTest, OnlyWhatHasChangedIsAskedAnew) {
  constexpr int count = 300;  // more than are asked in one turn
  for (int i = 0; i < count; ++i)
    add_device();
  const auto ask_all = [&] {
    FleetStandings& remembered = standings.of(state());
    for (const Place place : state().device_index().all())
      EXPECT_TRUE(remembered.standing(place, {.settings = true}));
  };
  ask_all();
  EXPECT_TRUE(asks_more_than_a_turn());
  ask_all();
  EXPECT_FALSE(asks_more_than_a_turn());
  const auto resolved = hub.documents().counters().resolved_documents;
  set("fleet", "hotword.threshold", 0.7);
  ask_all();
  EXPECT_EQ(hub.documents().counters().resolved_documents, resolved) << "none of them holds a document";
  EXPECT_EQ(standings.of(state()).sync(static_cast<Place>(state().device_index().end_place())), std::nullopt);
}

}  // namespace
}  // namespace starling::hub
