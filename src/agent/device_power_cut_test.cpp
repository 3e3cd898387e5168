// The promise of all parts together: the agent may be killed, or the power cut, at every persistence step of
// a device's life, and before every request to the keeper and message to the hub. What comes up on what is
// left is what the device was before the step in flight, or after it; nothing is lost, doubled or started
// twice; and the rest of its life goes on as if nothing had been.
//
// Likewise the disk may be full from each operation on that needs room, and the power be cut then. What ran
// runs on, and every file that could not be written is named to somebody. Once there is room, what the hub
// wants comes about by itself, and what was refused to a person does when it is tried again.
#include <gmock/gmock.h>

#include "agent/device_bench.hpp"

namespace starling::agent {
namespace {

using enum ModuleCommand;
using protocol::Section;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Seconds rest{130};  // longer than any trial, pause or confirmation

// Of whoever wants something on the device; `none`: it is for the device itself to see to it.
enum class Answer {
  done,
  done_in_session,  // a full disk need not keep it across a power cut
  not_done,
  none,
};
using Act = std::function<Answer(DeviceBench&)>;

struct Step {
  const char* title;
  Act act;
  bool ends_modules = false;  // that it does not disable
  std::string_view kills{};   // a module
};

Act commanding(const char* module, ModuleCommand what) {
  const Answer done = what == enable || what == disable ? Answer::done : Answer::done_in_session;
  return [=](DeviceBench& device) { return device.command(module, what) ? done : Answer::not_done; };
}
Act without_answer(std::function<void(DeviceBench&)> act) {
  return [act = std::move(act)](DeviceBench& device) { return act(device), Answer::none; };
}
// It may be tried again.
Act by_somebody(std::function<void(DeviceBench&)> act) {
  return [act = std::move(act)](DeviceBench& device) { return act(device), Answer::not_done; };
}

// Modules a, c and d are well; b and e never get ready. Each step can be taken again.
const std::vector<Step> story{
    {"it starts for the first time, and enrols", by_somebody([](DeviceBench& device) {
       if (!device.alive()) device.start_agent();
     })},
    {"the hub sets something", without_answer([](DeviceBench& device) {
       device.hub->set("hotword.threshold", 0.7);
       device.push();
     })},
    {"the hub enables a", without_answer([](DeviceBench& device) {
       device.hub->enable("a", true);
       device.push();
     })},
    {"the hub enables b, which is taken back", without_answer([](DeviceBench& device) {
       device.hub->enable("b", true);
       device.push();
     })},
    {"the hub goes away", without_answer([](DeviceBench& device) { device.connect_hub(false); })},
    {"a is disabled on the device", commanding("a", disable)},
    {"c is enabled on the device", commanding("c", enable)},
    {"d is started, but not enabled", commanding("d", start)},
    {"a setting is changed on the device",
     [](DeviceBench& device) {
       return device.edit("logger.level", "ERROR") ? Answer::done : Answer::not_done;
     }},
    {"the hub comes back", without_answer([](DeviceBench& device) { device.connect_hub(true); })},
    {"a is enabled again", commanding("a", enable)},
    {"config_override.json is edited by hand",
     without_answer([](DeviceBench& device) { device.edit_override("LOG_LEVEL", "DEBUG"); })},
    {"a crashes", without_answer([](DeviceBench& device) { device.die("a"); }), false, "a"},
    {"the hub sets what a cannot run with, which is taken back", without_answer([](DeviceBench& device) {
       device.hub->set("hotword.engine", "not for a");
       device.push();
     }),
     true},
    {"the hub sets what they can run with", without_answer([](DeviceBench& device) {
       device.hub->set("hotword.engine", "b");
       device.push();
     }),
     true},
    {"the agent stops and starts", without_answer([](DeviceBench& device) {
       device.stop_agent();
       device.start_agent();
     })},
    {"config.txt of d is edited by hand",
     without_answer([](DeviceBench& device) { device.edit_config("d", true); })},
    {"and that of c while the agent is away", without_answer([](DeviceBench& device) {
       device.stop_agent();
       device.edit_config("c", false);
       device.start_agent();
     })},
    {"and that of e, which is taken back",
     without_answer([](DeviceBench& device) { device.edit_config("e", true); })},
    {"a is stopped, but stays enabled", commanding("a", stop)},
    // Where that cannot be noted down, it comes back as after a power cut.
    {"the device goes down in order, and starts", by_somebody([](DeviceBench& device) {
       device.shut_down();
       device.start_agent();
     }),
     true},
    {"the hub disables d", without_answer([](DeviceBench& device) {
       device.hub->enable("d", false);
       device.push();
     })},
    {"and enables it", without_answer([](DeviceBench& device) {
       device.hub->enable("d", true);
       device.push();
     })},
    {"and takes back all that was said of it", without_answer([](DeviceBench& device) {
       device.hub->leave_open("d");
       device.push();
     })},
};

std::string joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += " " + name;
  return text;
}

// What somebody who looks at the device sees of it, at rest.
struct Situation {
  std::set<std::string> enabled, running, quarantined, pending, settings;
  std::string text() const {
    return "enabled" + joined(enabled) + " | running" + joined(running) + " | quarantined" +
           joined(quarantined) + " | pending" + joined(pending) + " | settings" + joined(settings);
  }
};

Situation situation_of(const DeviceBench& device) {
  Situation now;
  for (const ModuleStatus& module : device.core->statuses()) {
    if (module.enabled) now.enabled.insert(module.name);
    if (is_ready(module.state)) now.running.insert(module.name);
  }
  for (const auto& member : device.device->settings().module_quarantine())
    now.quarantined.emplace(member.key());
  for (const auto& edits :
       {device.device->settings().pending_edits(), device.device->section().pending_edits()})
    for (const protocol::PendingEdit& edit : edits)
      now.pending.insert(edit.key + "=" + boost::json::serialize(edit.to));
  for (const char* key : {"hotword.engine", "hotword.threshold", "logger.level"})
    now.settings.insert(boost::json::serialize(device.device->settings().values().find(key)->second));
  return now;
}

enum class End {
  agent_killed,
  power_cut,
  disk_full,
  full_then_power_cut,  // at the next step; there is no room afterwards either
  full_then_a_while_later_power_cut,
};
struct Way {
  const char* title;
  End end;
  FakeDisk::Unsynced unsynced;
  std::uint64_t seed;
};

void PrintTo(const Way& way, std::ostream* out) {
  *out << way.title;
}

std::unique_ptr<DeviceBench> new_device(const Way& way) {
  auto device = std::make_unique<DeviceBench>(way.seed, way.unsynced);
  for (const char* name : {"a", "c", "d"})
    device->install(name, true);
  for (const char* name : {"b", "e"})
    device->install(name, false);
  return device;
}

// What is promised of a device at rest.
void expect_in_order(const DeviceBench& device) {
  EXPECT_THAT(device.board.violations, IsEmpty());
  EXPECT_EQ(device.lists_dropped_too_early, 0);
  EXPECT_FALSE(device.recovery->recovering());
  EXPECT_EQ(device.recovery->problem(), "");
  for (const Drift& drift : device.device->settings().drift())
    EXPECT_TRUE(drift.put_right) << drift.message;
  EXPECT_TRUE(device.all_run_with_the_settings_in_force());
  for (const ModuleStatus& module : device.core->statuses()) {
    SCOPED_TRACE("module " + module.name);
    EXPECT_EQ(device.config(module.name), module.enabled);
    EXPECT_EQ(device.mirror->known(module.name), module.enabled);
    EXPECT_EQ(is_ready(module.state), module.wanted) << to_string(module.state);
    EXPECT_EQ(device.board.living(module.name), module.wanted ? 1 : 0);
    EXPECT_FALSE(module.provisional);
  }
}

void expect_one_view(const DeviceBench& device) {
  if (!device.hub_is_there) return;
  const HubBench& hub = *device.hub;
  const SettingsCore& settings = device.device->settings();
  const protocol::SectionState values = settings.sections().at(0);
  const protocol::SectionState modules = device.device->section().state();
  ASSERT_TRUE(device.device->link().established());
  EXPECT_EQ(hub.devices, std::set<std::string>{device.device->identity().device_id()});
  EXPECT_THAT(hub.conflicts, IsEmpty());
  EXPECT_THAT(situation_of(device).pending, IsEmpty());
  EXPECT_THAT(hub.wanted(Section::settings), AnyOf(values.applied, values.refused));
  EXPECT_EQ(hub.states.at(Section::settings).applied, values.applied);
  EXPECT_EQ(hub.states.at(Section::settings).refused, values.refused);
  EXPECT_THAT(hub.wanted(Section::modules), AnyOf(modules.applied, modules.refused));
  EXPECT_EQ(hub.states.at(Section::modules).applied, modules.applied);
  EXPECT_EQ(hub.states.at(Section::modules).refused, modules.refused);
  EXPECT_EQ(hub.told.at(Section::modules).phase, device.device->section().status().phase);
  EXPECT_EQ(hub.told.at(Section::modules).errors.size(),
            device.device->settings().module_quarantine().size());
  EXPECT_EQ(hub.reported.at("modules"), Json(device.report_of_modules()));
}

class DeviceEnd : public testing::TestWithParam<Way> {
 protected:
  // A life without an end.
  void SetUp() override {
    const auto device = new_device(GetParam());
    const std::uint64_t installed = device->disk.steps(), installed_writes = device->disk.writes();
    before_.push_back({});
    for (const Step& step : story) {
      SCOPED_TRACE(step.title);
      step.act(*device);
      device->pass(rest);
      before_.push_back(situation_of(*device));
      expect_in_order(*device);
      expect_one_view(*device);
    }
    accepted_ = device->hub->accepted;
    disk_steps_ = device->disk.steps() - installed;
    disk_writes_ = device->disk.writes() - installed_writes;
    effects_ = device->effects;
  }
  const Situation& after(std::size_t step) const { return before_[step + 1]; }

  void live_and_end(DeviceBench& device) const {
    std::size_t step = 0;
    bool told = false;
    for (; step < story.size() && !device.disk.crashed(); ++step) {
      const Answer answer = story[step].act(device);
      told = answer == Answer::done || answer == Answer::done_in_session;
      device.pass(rest);
    }
    ASSERT_TRUE(device.disk.crashed()) << "this point is not reached";
    --step;
    SCOPED_TRACE(story[step].title);
    come_back(device, step, told);
    live_on(device, step);
  }
  // From this step on, which may have been taken already.
  void live_on(DeviceBench& device, std::size_t step, std::size_t end = story.size()) const {
    for (; step < end && !HasFailure(); ++step) {
      SCOPED_TRACE(std::string("later: ") + story[step].title);
      story[step].act(device);
      device.pass(rest);
      EXPECT_EQ(situation_of(device).text(), after(step).text());
      expect_in_order(device);
      expect_one_view(device);
    }
    const auto& accepted = device.hub->accepted;
    if (end < story.size()) {
      ASSERT_LE(accepted.size(), accepted_.size()) << "an edit is doubled";
      EXPECT_TRUE(std::ranges::equal(accepted, std::span(accepted_).first(accepted.size())));
    } else {
      EXPECT_EQ(accepted, accepted_) << "an edit is lost or doubled";
    }
  }
  void come_back(DeviceBench& device, std::size_t step, bool told) const {
    const std::set<ChildId> lived = device.living();
    device.dies_at_effect.reset();
    if (GetParam().end == End::agent_killed) {
      device.kill_agent();
    } else {
      device.boot();
    }
    device.disk.restore_power();
    device.start_agent();
    device.pass(rest);
    const std::string now = situation_of(device).text();
    if (told) {
      EXPECT_EQ(now, after(step).text()) << "what was answered is undone";
    } else if (step > 0) {
      EXPECT_THAT(now, AnyOf(before_[step].text(), after(step).text()));
    }
    expect_in_order(device);
    expect_one_view(device);
    if (GetParam().end == End::agent_killed) expect_living(device, step, lived);
  }
  void expect_living(const DeviceBench& device, std::size_t step, const std::set<ChildId>& lived) const {
    if (story[step].ends_modules) return;
    for (const ChildId& id : lived) {
      const std::string module(parse_child_id(id)->module);
      const bool stays = before_[step].running.contains(module) && after(step).running.contains(module);
      EXPECT_TRUE(!stays || device.living().contains(id)) << id << " was started again";
    }
  }

  std::vector<Situation> before_;  // each step, and at the end
  std::vector<std::string> accepted_;
  std::uint64_t disk_steps_ = 0, disk_writes_ = 0, effects_ = 0;
};

class DeviceDiskFull : public DeviceEnd {
 protected:
  void live_and_run_full(DeviceBench& device) const {
    std::size_t step = 0;
    Answer answer = Answer::none;
    std::set<ChildId> lived;
    for (; step < story.size() && !device.disk.is_full(); ++step) {
      lived = device.living();
      answer = story[step].act(device);
      device.pass(rest);
    }
    ASSERT_TRUE(device.disk.is_full()) << "this point is not reached";
    --step;
    SCOPED_TRACE(story[step].title);
    if (GetParam().end == End::disk_full) {
      std::erase_if(lived,
                    [&](const ChildId& id) { return parse_child_id(id)->module == story[step].kills; });
      expect_living(device, step, lived);
      expect_said(device);
    } else {
      if (!device.disk.crashed()) device.disk.crash_now();
      if (answer == Answer::done_in_session) answer = Answer::not_done;
      device.boot();
      device.disk.restore_power();
      device.start_agent();
      device.pass(rest);
    }
    expect_works(device, step);
    if (HasFailure()) return;
    device.disk.make_room();
    if (!device.alive()) device.start_agent();
    device.pass(rest);
    expect_caught_up(device, step, answer);
    constexpr std::size_t soon = 4;  // steps: what is wrong shows in them
    live_on(device, step, std::min(step + soon, story.size()));
  }
  // While the disk is full.
  void expect_works(const DeviceBench& device, std::size_t step) const {
    EXPECT_THAT(device.board.violations, IsEmpty());
    if (step == 0) return;
    ASSERT_TRUE(device.alive()) << "no device needs room to start:\n" << device.said();
    EXPECT_THAT(at_work(situation_of(device)), AnyOf(at_work(before_[step]), at_work(after(step))));
  }
  static std::string at_work(Situation situation) {
    situation.pending.clear();
    return situation.text();
  }
  static void expect_said(const DeviceBench& device) {
    const std::string said = device.said();
    for (const std::string& path : device.disk.lacked_room()) {
      const std::string file = path.substr(0, path.rfind(".new"));
      EXPECT_THAT(said,
                  AnyOf(HasSubstr(file + ": the disk is full"), HasSubstr(file + ".new: the disk is full")));
    }
  }
  void expect_caught_up(const DeviceBench& device, std::size_t step, Answer answer) const {
    const std::string now = situation_of(device).text();
    if (answer == Answer::not_done && step > 0) {
      EXPECT_THAT(now, AnyOf(before_[step].text(), after(step).text()));
    } else {
      EXPECT_EQ(now, after(step).text());
    }
    expect_in_order(device);
    expect_one_view(device);
  }
};

TEST_P(DeviceDiskFull, FromEveryWriteOn) {
  RecordProperty("points", static_cast<int>(disk_writes_));
  ASSERT_GT(disk_writes_, 100u);
  for (std::uint64_t point = 1; point <= disk_writes_; ++point) {
    SCOPED_TRACE("write " + std::to_string(point) + " of " + std::to_string(disk_writes_));
    const auto device = new_device(GetParam());
    device->listen();
    device->disk.full_after(point);
    if (GetParam().end == End::full_then_power_cut) device->disk.crash_when_full();
    live_and_run_full(*device);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(DeviceEnd, AtEveryPersistenceStep) {
  RecordProperty("points", static_cast<int>(disk_steps_));
  ASSERT_GT(disk_steps_, 300u);
  for (std::uint64_t point = 1; point <= disk_steps_; ++point) {
    SCOPED_TRACE("persistence step " + std::to_string(point) + " of " + std::to_string(disk_steps_));
    const auto device = new_device(GetParam());
    device->disk.crash_after(point);
    live_and_end(*device);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(DeviceEnd, BeforeEveryRequestAndMessage) {
  RecordProperty("points", static_cast<int>(effects_));
  ASSERT_GT(effects_, 100u);
  for (std::uint64_t point = 1; point <= effects_; ++point) {
    SCOPED_TRACE("effect " + std::to_string(point) + " of " + std::to_string(effects_));
    const auto device = new_device(GetParam());
    device->dies_at_effect = point;
    live_and_end(*device);
    ASSERT_FALSE(HasFailure());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, DeviceEnd,
    testing::Values(Way{"AgentKilled", End::agent_killed, FakeDisk::Unsynced::kept, 1},
                    Way{"PowerCutAllUnsyncedLost", End::power_cut, FakeDisk::Unsynced::lost, 1},
                    Way{"PowerCutSomeUnsyncedLost", End::power_cut, FakeDisk::Unsynced::drawn, 2}),
    [](const auto& one) { return one.param.title; });
INSTANTIATE_TEST_SUITE_P(
    Everywhere, DeviceDiskFull,
    testing::Values(Way{"StaysUp", End::disk_full, FakeDisk::Unsynced::kept, 1},
                    Way{"ThenPowerCut", End::full_then_power_cut, FakeDisk::Unsynced::lost, 1},
                    Way{"ThenAWhileLaterPowerCut", End::full_then_a_while_later_power_cut,
                        FakeDisk::Unsynced::drawn, 2}),
    [](const auto& one) { return one.param.title; });

}  // namespace
}  // namespace starling::agent
