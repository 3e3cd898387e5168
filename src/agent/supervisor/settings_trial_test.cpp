#include "agent/supervisor/settings_trial.hpp"

#include <gtest/gtest.h>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

using enum ModuleState;

// ---- alone

ModuleStatus ears(ModuleState state) {
  ModuleStatus status;
  status.name = "ears";
  status.wanted = true;
  status.state = state;
  return status;
}

SettingsVerdict verdict_of(const SettingsTrial& trial, const ModuleStatus& status) {
  return trial.verdict({&status, 1});
}

TEST(SettingsTrial, AModuleWorksFromWhenItIsReadyUntilItFails) {
  SettingsTrial trial;
  EXPECT_FALSE(trial.works("ears"));
  for (const auto& [state, works] :
       {std::pair(starting, false), std::pair(idle, true), std::pair(stopping, true),
        std::pair(disabled, true), std::pair(starting, true), std::pair(recording, true),
        std::pair(crashed, false), std::pair(starting, false), std::pair(error, false),
        std::pair(idle, true)}) {
    trial.is("ears", state);
    EXPECT_EQ(trial.works("ears"), works) << to_string(state);
  }
  trial.forget("ears");
  EXPECT_FALSE(trial.works("ears"));
}

TEST(SettingsTrial, WhatIsSeenCountsMoreThanWhatTheLastAgentKnew) {
  SettingsTrial trial;
  trial.is("eyes", crashed);
  trial.worked_before("eyes");
  trial.worked_before("ears");
  EXPECT_FALSE(trial.works("eyes"));
  EXPECT_TRUE(trial.works("ears"));
}

TEST(SettingsTrial, TheVerdictFollowsTheStateOfAWitness) {
  const SettingsTrial trial;
  EXPECT_TRUE(trial.verdict({}).over);
  for (const auto& [state, over, failed] :
       {std::tuple(disabled, true, false), std::tuple(starting, false, false), std::tuple(idle, true, false),
        std::tuple(recording, true, false), std::tuple(stopping, false, false), std::tuple(error, true, true),
        std::tuple(crashed, true, true)}) {
    const SettingsVerdict verdict = verdict_of(trial, ears(state));
    EXPECT_EQ(verdict.over, over) << to_string(state);
    EXPECT_EQ(!verdict.failure.empty(), failed) << to_string(state);
  }
}

TEST(SettingsTrial, OneThatIsTriedAgainSoonIsWaitedFor) {
  const SettingsTrial trial;
  ModuleStatus status = ears(crashed);
  status.next_retry = SteadyTime(Seconds(1));
  EXPECT_FALSE(verdict_of(trial, status).over);
  EXPECT_EQ(verdict_of(trial, status).failure, "");
  for (const RetryPace pace : {RetryPace::slow, RetryPace::memory_hold, RetryPace::never}) {
    status.pace = pace;
    EXPECT_EQ(verdict_of(trial, status).failure, "module 'ears' does not run since they are in force");
  }
}

TEST(SettingsTrial, OneThatWaitsForABrokenOneSaysNothingAndForAnythingElseIsWaitedFor) {
  const SettingsTrial trial;
  for (const ModuleState state : {disabled, crashed}) {
    for (const auto& [wait, over] :
         {std::pair(StartGate::Wait::requirement, true), std::pair(StartGate::Wait::order, false),
          std::pair(StartGate::Wait::device, false)}) {
      ModuleStatus status = ears(state);
      if (state == crashed) status.next_retry = SteadyTime(Seconds(1));
      status.wait = wait;
      EXPECT_EQ(verdict_of(trial, status).over, over) << to_string(state) << ' ' << static_cast<int>(wait);
      EXPECT_EQ(verdict_of(trial, status).failure, "");
    }
  }
}

TEST(SettingsTrial, WhatIsNotWantedOrOnlyBeingEnabledSaysNothing) {
  SettingsTrial trial;
  for (int i = 0; i < SettingsTrial::crash_loop; ++i)
    trial.died("ears");
  ModuleStatus stopped = ears(crashed), enabled = ears(crashed);
  stopped.wanted = false;
  enabled.provisional = true;
  for (const ModuleStatus& status : {stopped, enabled}) {
    EXPECT_TRUE(verdict_of(trial, status).over);
    EXPECT_EQ(verdict_of(trial, status).failure, "");
  }
}

TEST(SettingsTrial, DeathsCountSinceTheSettingsThatItUsesHaveChanged) {
  SettingsTrial trial;
  const auto failure = [&] { return verdict_of(trial, ears(idle)).failure; };
  trial.died("ears");
  trial.died("ears");
  trial.settings_changed("ears");
  trial.died("ears");
  trial.died("ears");
  EXPECT_EQ(failure(), "");
  trial.died("ears");
  EXPECT_EQ(failure(), "module 'ears' keeps ending since they are in force");
}

// ---- in a Supervisor

enum class Step {
  first,   // settings come that all of them use
  second,  // others of these
  other,   // that nobody uses
  ears_die,
  ears_give_up,
  ears_get_up,
  ears_stop,
  ears_start,
  eyes_give_up,
  eyes_start,
  mouth_dies,
  mouth_gets_up,
  nose_enable,
  nose_gives_up,
  agent_restarts,
  device_restarts,
  minute,  // passes
};

enum class Outcome { confirmed, taken_back, open };

struct Story {
  const char* title;
  std::vector<Step> steps;
  Outcome outcome;
};

void PrintTo(const Story& story, std::ostream* out) {
  *out << story.title;
}

class SettingsTrialStory : public SupervisorFixture, public testing::WithParamInterface<Story> {
 protected:
  void SetUp() override {
    const std::string manifest =
        "exec = \"/bin/true\"\nready_after = \"100ms\"\nstart_timeout = \"300s\"\nuses = [\"hotword\"]\n";
    for (const char* name : {"ears", "eyes"})
      write_module(name, manifest, "enabled = true\n");
    write_module("mouth", manifest + "requires = [\"ears\"]\n", "enabled = true\n");
    write_module("nose", manifest, "enabled = false\n");
    start();
    until("mouth", [](const ModuleStatus& now) { return now.wanted; });
    for (const char* name : {"ears", "eyes", "mouth"})
      get_up(name);
  }

  void take(Step step) {
    switch (step) {
      case Step::first: return settings("hotword.threshold", 0.7);
      case Step::second: return settings("hotword.threshold", 0.8);
      case Step::other: return settings("logger.level", "DEBUG");
      case Step::ears_die: return die("ears");
      case Step::ears_give_up: return give_up("ears");
      case Step::ears_get_up: return get_up("ears");
      case Step::ears_stop: return stop_ears();
      case Step::ears_start: return supervisor->command("ears", ModuleCommand::start, {});
      case Step::eyes_give_up: return give_up("eyes");
      case Step::eyes_start: return supervisor->command("eyes", ModuleCommand::start, {});
      case Step::mouth_dies: return die("mouth");
      case Step::mouth_gets_up: return get_up("mouth");
      case Step::nose_enable: return supervisor->command("nose", ModuleCommand::enable, {});
      case Step::nose_gives_up: return give_up("nose");
      case Step::agent_restarts: return restart(true);
      case Step::device_restarts: return restart(false);
      case Step::minute: return pass(Seconds(61));
    }
  }
  void settings(const std::string& key, const Json& value) {
    values_[key] = value;
    pass(Seconds(10));  // they do not speak the module protocol, and are not waited for any longer
    device->settings().offer(make_update(catalog, ++revision_, values_));
  }

  // ---- what becomes of a module
  ModuleStatus status(std::string_view name) const {
    for (const ModuleStatus& module : supervisor->statuses())
      if (module.name == name) return module;
    ADD_FAILURE() << "no module " << name;
    return {};
  }
  keeper::HeldChild child(const std::string& name) const {
    const ModuleStatus now = status(name);
    const auto pid = static_cast<std::int32_t>(0x7000'0000 + now.run);  // of no process
    return {.id = name + ":" + std::to_string(now.run), .pid = now.pid == 0 ? pid : now.pid, .start = 1};
  }
  void until(const std::string& name, const std::function<bool(const ModuleStatus&)>& is) {
    SCOPED_TRACE("module " + name);
    eventually([&] { return is(status(name)); });
  }
  void spawn(const std::string& name) {
    if (status(name).pid != 0) return;
    until(name, [](const ModuleStatus& now) { return is_transient(now.state); });
    say(keeper::Spawned{child(name)});
    until(name, [](const ModuleStatus& now) { return now.pid != 0; });
  }
  void get_up(const std::string& name) {
    spawn(name);
    pass(Milliseconds(200));
    until(name, [](const ModuleStatus& now) { return is_ready(now.state); });
  }
  void end(const std::string& name, keeper::ExitKind kind, int status_or_signal) {
    spawn(name);
    const keeper::HeldChild ended = child(name);
    say(keeper::Exited{ended.id, ended.pid, {.kind = kind, .status = status_or_signal}});
    until(name, [](const ModuleStatus& now) { return now.pid == 0; });
  }
  void give_up(const std::string& name) { end(name, keeper::ExitKind::exited, 78); }
  void die(const std::string& name) {  // and is tried again, if it may be
    end(name, keeper::ExitKind::killed, SIGSEGV);
    pass(Seconds(2));
  }
  void stop_ears() {  // and so the mouth
    supervisor->command("ears", ModuleCommand::stop, {});
    for (const char* name : {"mouth", "ears"})
      if (status(name).state == stopping) end(name, keeper::ExitKind::killed, SIGTERM);
  }

  void restart(bool modules_live) {
    std::vector<keeper::HeldChild> children;
    for (const ModuleStatus& module : supervisor->statuses())
      if (modules_live && module.pid != 0) children.push_back(child(module.name));
    pass(SupervisorCore::file_pause);
    end_agent();
    if (!modules_live) boot_id += "+";
    start(children);
    until("mouth", [](const ModuleStatus& now) { return now.wanted; });
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    supervisor->tick();
    device->tick();
  }
  Outcome outcome() const {
    if (device->settings().state() == SettingsCore::State::provisional) return Outcome::open;
    const bool newest = device->settings().document().hash() == make_update(catalog, 1, values_).hash;
    return newest ? Outcome::confirmed : Outcome::taken_back;
  }

 private:
  std::map<std::string, Json> values_;
  std::int64_t revision_ = 1;
};

TEST_P(SettingsTrialStory, Ends) {
  for (const Step step : GetParam().steps)
    take(step);
  EXPECT_EQ(static_cast<int>(outcome()), static_cast<int>(GetParam().outcome));
}

using enum Step;
// clang-format off
const std::vector<Story> table{
    {"all_work", {first, minute}, Outcome::confirmed},
    {"one_gives_up", {first, ears_give_up}, Outcome::taken_back},
    {"one_ends_twice", {first, ears_die, ears_die, ears_get_up, minute}, Outcome::confirmed},
    {"one_ends_three_times", {first, ears_die, ears_die, ears_die}, Outcome::taken_back},
    {"one_is_still_starting", {first, ears_die, minute}, Outcome::open},
    {"what_is_confirmed_stays", {first, minute, ears_give_up}, Outcome::confirmed},
    // what did not work before
    {"broken_neighbour", {eyes_give_up, first, minute}, Outcome::confirmed},
    {"broken_neighbour_is_tried_again", {eyes_give_up, first, eyes_start, eyes_give_up, minute}, Outcome::confirmed},
    {"newcomer", {nose_enable, first, nose_gives_up, minute}, Outcome::confirmed},
    {"newcomer_during_the_trial", {first, nose_enable, nose_gives_up, minute}, Outcome::confirmed},
    {"one_that_requires_what_was_broken", {ears_give_up, first, ears_give_up, mouth_dies, minute}, Outcome::confirmed},
    {"one_that_requires_what_breaks", {first, mouth_dies, ears_give_up}, Outcome::taken_back},
    {"one_that_waits_for_its_turn", {ears_give_up, ears_stop, first, ears_start, minute}, Outcome::open},
    {"one_that_fails_and_waits_for_its_turn", {ears_give_up, first, mouth_dies, ears_start, minute}, Outcome::open},
    // a second change during the trial
    {"second_change_hides_nothing", {first, ears_die, second, ears_give_up}, Outcome::taken_back},
    {"second_change_is_no_fault_of_the_first", {first, ears_die, ears_die, second, ears_die, ears_get_up, minute}, Outcome::confirmed},
    {"change_that_it_does_not_use", {first, ears_die, ears_die, other, ears_die}, Outcome::taken_back},
    {"broken_by_the_first_and_not_by_the_second", {first, ears_die, second, ears_get_up, minute}, Outcome::confirmed},
    // by hand
    {"stopped_by_hand", {first, ears_die, ears_stop, minute}, Outcome::confirmed},
    {"stopped_and_started_by_hand", {first, ears_stop, ears_start, ears_give_up}, Outcome::taken_back},
    {"stopped_before_they_came", {ears_stop, first, minute}, Outcome::confirmed},
    // a restart
    {"agent_restarts", {first, agent_restarts, ears_give_up}, Outcome::taken_back},
    {"agent_restarts_and_all_work", {first, agent_restarts, minute}, Outcome::confirmed},
    {"agent_restarts_and_deaths_count_anew", {first, ears_die, agent_restarts, ears_die, ears_die, ears_die}, Outcome::taken_back},
    {"agent_restarts_beside_a_broken_neighbour", {eyes_give_up, first, agent_restarts, eyes_start, eyes_give_up, minute}, Outcome::confirmed},
    {"agent_restarts_after_a_second_change", {first, other, agent_restarts, ears_give_up}, Outcome::taken_back},
    {"agent_restarts_after_they_are_confirmed", {first, minute, agent_restarts, ears_give_up, minute}, Outcome::confirmed},
    {"device_restarts", {first, device_restarts, ears_give_up}, Outcome::taken_back},
    {"stopped_by_hand_and_device_restarts", {first, ears_stop, device_restarts, minute}, Outcome::open},
    {"device_restarts_before_they_come", {device_restarts, first, ears_give_up}, Outcome::taken_back},
    {"broken_neighbour_and_device_restarts", {eyes_give_up, device_restarts, first, eyes_give_up, ears_get_up, mouth_gets_up, minute}, Outcome::confirmed},
};
// clang-format on
INSTANTIATE_TEST_SUITE_P(Table, SettingsTrialStory, testing::ValuesIn(table),
                         [](const auto& suite) { return suite.param.title; });

class SettingsTrialRestart : public SettingsTrialStory {
 protected:
  void SetUp() override {}
};

TEST_F(SettingsTrialRestart, WhoMayNotHaveHeardOfThemIsToldAgain) {
  write_module("ears",
               "exec = \"/bin/true\"\nready_after = \"100ms\"\nuses = [\"hotword\"]\n"
               "on_change = \"restart\"\n",
               "enabled = true\n");
  start();
  get_up("ears");
  settings("hotword.threshold", 0.7);
  const keeper::HeldChild lives = child("ears");
  end_agent();
  start({lives});
  EXPECT_EQ(to_string(status("ears").state), to_string(stopping));
}

TEST_F(SettingsTrialRestart, NothingIsConfirmedBeforeItIsKnownWhatRuns) {
  start();
  device->settings().offer(make_update(catalog, 2, {{"hotword.threshold", 0.7}}));
  end_agent();
  start_without_list();
  clock.advance(Seconds(61));
  device->tick();
  EXPECT_EQ(device->settings().state(), SettingsCore::State::provisional);
  list({});
  eventually([&] {
    return clock.advance(Seconds(5)), device->tick(), device->settings().state() == SettingsCore::State::idle;
  });
}

// ---- before it

class OfferAfterAStart : public SupervisorFixture {
 protected:
  SettingsCore::State after(Milliseconds time) {
    clock.advance(time);
    device->tick();
    return device->settings().state();
  }
  void offer(const std::string& module, const std::string& config) {
    write_module("ears", module, config);
    start();
    device->settings().offer(make_update(catalog, 2, {{"hotword.threshold", 0.7}}));
  }
};

TEST_F(OfferAfterAStart, WaitsForWhoMayHaveASay) {
  offer("exec = 'run'\nuses = ['hotword']\n", "enabled = true\n");
  EXPECT_EQ(after(Milliseconds(9'999)), SettingsCore::State::idle);
  EXPECT_EQ(after(Milliseconds(1)), SettingsCore::State::provisional);
}

TEST_F(OfferAfterAStart, WaitsLongerForWhoIsSureToSayHello) {
  offer("exec = 'run'\nreadiness = 'module'\nuses = ['hotword']\n", "enabled = true\n");
  EXPECT_EQ(after(Milliseconds(29'999)), SettingsCore::State::idle);
  EXPECT_EQ(after(Milliseconds(1)), SettingsCore::State::provisional);
}

TEST_F(OfferAfterAStart, WaitsForNobodyElse) {
  offer("exec = 'run'\nuses = ['hotword']\n", "enabled = false\n");
  EXPECT_EQ(after(Milliseconds(0)), SettingsCore::State::provisional);
}

}  // namespace
}  // namespace starling::agent
