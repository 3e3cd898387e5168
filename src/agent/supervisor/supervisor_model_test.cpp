// Every state that a module can get into, by every event that can happen there, breadth first: the real
// machine is driven along the shortest way to each and must keep its promises. Two situations that differ
// only in how often the module has failed count as one, or there would be no end of them; a smaller model
// with fewer events tells these apart, as far as numbers matter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <deque>
#include <iterator>
#include <set>
#include <sstream>

#include "agent/supervisor/supervisor_bench.hpp"

namespace starling::agent {
namespace {

using enum ModuleState;

class World : public SupervisorBench {
 public:
  static constexpr const char* name = "m";

  explicit World(const ModuleManifest& kind) {
    ModuleManifest& manifest = module(name);
    manifest.readiness = kind.readiness;
    manifest.retry = kind.retry;
    manifest.watchdog = Seconds(2);
    manifest.stop_timeout = Seconds(3);
    start_agent();
  }

  const FakeBoard::Child* child() const {
    const auto found = board.children.find(present(name));
    return found == board.children.end() || found->second.exit ? nullptr : &found->second;
  }
  bool is_asked_for() const { return keeper_is_there() && child() != nullptr && child()->pid == 0; }
  bool is_alive() const { return keeper_is_there() && child() != nullptr && child()->pid != 0; }
  bool keeper_is_there() const { return !board.keeper_away; }
  int last_signal() const {  // to the present run
    for (auto signal = board.signals.rbegin(); signal != board.signals.rend(); ++signal)
      if (signal->id == present(name)) return signal->number;
    return 0;
  }
  void enable() {
    trial_starts = status(name).starts;
    command(name, ModuleCommand::enable);
  }
  void run_out_of_memory() {
    board.out_of_memory.insert(name);
    die(name, SIGKILL);
    board.out_of_memory.clear();
    ++memory_deaths;
  }
  int trial_attempts() const { return status(name).starts - trial_starts; }
  void says_ready() {
    ready(name);
    core->said_hello(name);
  }
  void old_word(bool exit) {  // of a run that is over
    const ChildId id = "m:1";
    NotifyMessage message;
    message.ready = true;
    message.recording = NotifyRecording::recording;
    core->notified(id, message);
    if (exit) core->exited(id, ChildExit{});
    deliver();
  }
  void next_deadline() {
    const auto next = core->next_deadline();
    pass(next ? std::chrono::ceil<Milliseconds>(*next - clock.steady()) : Milliseconds(1'000));
  }
  void away() {
    board.keeper_away = true;
    core->lost();
  }
  void back() {
    board.keeper_away = false;
    attach();
  }

  // What distinguishes two situations.
  std::string key() const {
    const ModuleStatus now = status(name);
    std::ostringstream key;
    key << to_string(now.state) << (now.enabled ? " enabled" : "") << (now.wanted ? " wanted" : "")
        << (now.provisional ? " provisional" : "") << (now.run == now.epoch ? " newest" : " overtaken")
        << " pace=" << static_cast<int>(now.pace) << " retry=" << now.next_retry.has_value()
        << " asked=" << is_asked_for() << " alive=" << is_alive() << " signal=" << last_signal()
        << " left=" << board.leftovers.contains(name) << board.unkillable.contains(name)
        << " keeper=" << keeper_is_there() << " short=" << memory_short
        << " recovering=" << recovery->recovering();
    return key.str();
  }
  std::string counts() const {
    const ModuleStatus now = status(name);
    constexpr int loop = RestartPolicy::loop_failures, memory = RestartPolicy::memory_failures;
    std::ostringstream counts;
    counts << " attempt=" << std::min(now.attempt, loop + 1)
           << " trial=" << (now.provisional ? trial_attempts() : 0)
           << " memory=" << std::min(memory_deaths, memory);
    return counts.str();
  }

  bool memory_short = false;
  int trial_starts = 0;   // before the present trial
  int memory_deaths = 0;  // since nothing was wrong
};

struct Event {
  const char* title;
  std::function<bool(const World&)> possible;
  std::function<void(World&)> happen;
};

bool always(const World&) {
  return true;
}
bool asked_for(const World& world) {
  return world.is_asked_for();
}
bool alive(const World& world) {
  return world.is_alive();
}
bool keeper_there(const World& world) {
  return world.keeper_is_there();
}
std::function<void(World&)> commanding(ModuleCommand command) {
  return [command](World& world) { world.command(World::name, command); };
}

const std::vector<Event> events{
    {"enable", always, [](World& world) { world.enable(); }},
    {"disable", always, commanding(ModuleCommand::disable)},
    {"start", always, commanding(ModuleCommand::start)},
    {"stop", always, commanding(ModuleCommand::stop)},
    {"restart", always, commanding(ModuleCommand::restart)},
    {"settings", always, [](World& world) { world.core->settings_changed(World::name); }},
    {"made", asked_for, [](World& world) { world.make(World::name); }},
    {"not made", asked_for, [](World& world) { world.refuse(World::name, EAGAIN); }},
    {"cannot be made", asked_for, [](World& world) { world.refuse(World::name, ENOENT); }},
    {"ready", alive, [](World& world) { world.says_ready(); }},
    {"records", alive, [](World& world) { world.record(World::name, true); }},
    {"pauses", alive, [](World& world) { world.record(World::name, false); }},
    {"dies", alive, [](World& world) { world.die(World::name); }},
    {"exits", alive, [](World& world) { world.exit(World::name, 0); }},
    {"exits 78", alive, [](World& world) { world.exit(World::name, 78); }},
    {"dies, its children live", alive,
     [](World& world) {
       world.board.leftovers.insert(World::name);
       world.board.unkillable.insert(World::name);
       world.die(World::name);
     }},
    {"its children end", [](const World& world) { return !world.board.unkillable.empty(); },
     [](World& world) {
       world.board.unkillable.clear();
       world.board.leftovers.clear();
       world.core->tree_changed(World::name);
       world.deliver();
     }},
    {"old word", [](const World& world) { return world.status(World::name).run > 1; },
     [](World& world) { world.old_word(false); }},
    {"old exit", [](const World& world) { return world.status(World::name).run > 1; },
     [](World& world) { world.old_word(true); }},
    {"deadline", always, [](World& world) { world.next_deadline(); }},
    {"six minutes", always, [](World& world) { world.pass(Seconds(360)); }},
    {"memory short", [](const World& world) { return !world.memory_short; },
     [](World& world) {
       world.memory_short = true;
       world.core->set_memory_short(true);
     }},
    {"memory enough", [](const World& world) { return world.memory_short; },
     [](World& world) {
       world.memory_short = false;
       world.core->set_memory_short(false);
     }},
    {"keeper away", keeper_there, [](World& world) { world.away(); }},
    {"keeper back", [](const World& world) { return !world.keeper_is_there(); },
     [](World& world) { world.back(); }},
    {"keeper killed", keeper_there,
     [](World& world) {
       if (world.is_alive()) world.board.leftovers.insert(World::name);
       world.board.children.clear();
       world.core->lost();
       world.attach();
     }},
    {"agent killed", keeper_there,
     [](World& world) {
       world.kill_agent();
       world.memory_short = false;
       world.trial_starts = 0;
       world.start_agent();
     }},
    {"power cut", keeper_there,
     [](World& world) {
       world.pull_plug("boot-2");
       world.board.unkillable.clear();
       world.memory_short = false;
       world.trial_starts = 0;
       world.start_agent();
     }},
};

std::vector<Event> make_failing_events() {
  const std::set<std::string_view> some{"enable",         "start", "stop", "made",     "not made",
                                        "cannot be made", "ready", "dies", "deadline", "six minutes"};
  std::vector<Event> failing;
  std::ranges::copy_if(events, std::back_inserter(failing),
                       [&](const Event& event) { return some.contains(event.title); });
  failing.push_back({"runs out of memory", alive, [](World& world) { world.run_out_of_memory(); }});
  return failing;
}
const std::vector<Event> failing_events = make_failing_events();

struct Kind {
  const char* title;
  Readiness readiness;
  Retry retry;
  const std::vector<Event>* events;
  bool counts;  // tell situations apart
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.title;
}

class ModelCheck : public testing::TestWithParam<Kind> {
 protected:
  using Path = std::vector<std::size_t>;  // of events

  static const Event& event_at(std::size_t event) { return (*GetParam().events)[event]; }
  static std::string describe(const Path& path) {
    std::string text;
    for (const std::size_t event : path)
      text += (text.empty() ? "" : ", ") + std::string(event_at(event).title);
    return text;
  }
  static std::unique_ptr<World> arrive(const Path& path) {
    ModuleManifest kind;
    kind.readiness = GetParam().readiness;
    kind.retry = GetParam().retry;
    auto world = std::make_unique<World>(kind);
    for (const std::size_t event : path)
      happen(*world, event);
    return world;
  }
  static void happen(World& world, std::size_t event) {
    event_at(event).happen(world);
    const ModuleStatus now = world.status(World::name);
    if (now.attempt <= 1 && !is_failed(now.state)) world.memory_deaths = 0;
  }
  static std::string key(const World& world) {
    return world.key() + (GetParam().counts ? world.counts() : "");
  }

  static void check_step(const World& world, const ModuleStatus& before, std::size_t reverts_before,
                         std::string_view event) {
    const ModuleStatus now = world.status(World::name);
    const bool reverted = world.reverts.size() > reverts_before;
    if (now.enabled != before.enabled && event != "enable" && event != "disable") {
      EXPECT_TRUE(reverted && before.enabled) << "enabled changed without a command";
    }
    EXPECT_TRUE(!reverted || before.provisional || event == "enable") << "a confirmed enable was reverted";
    EXPECT_THAT(world.board.violations, testing::IsEmpty());
    EXPECT_LE(world.board.living(World::name), 1);
    EXPECT_TRUE(now.epoch >= before.epoch || event == "agent killed" || event == "power cut");
    check_state(world, now);
    check_journal(world);
  }
  static void check_state(const World& world, const ModuleStatus& now) {
    const auto next = world.core->next_deadline();
    EXPECT_EQ(now.deadline.has_value(), is_transient(now.state)) << "deadline";
    if (now.deadline) {
      ASSERT_TRUE(next);
      EXPECT_LE(*next, *now.deadline);
      EXPECT_GE(*now.deadline, world.clock.steady());
    }
    if (now.next_retry && now.wanted && now.waits_for.empty()) {
      EXPECT_TRUE(next && world.clock.steady() <= *next) << "a retry that nobody wakes up for";
    }
    EXPECT_TRUE(!is_ready(now.state) || now.pid != 0);
    const bool down = now.state == disabled;
    EXPECT_TRUE(!down || !world.keeper_is_there() || world.board.living(World::name) == 0);
    EXPECT_TRUE(now.wanted || down || now.state == stopping) << "unwanted, and not ending";
    EXPECT_TRUE(!now.provisional || (now.enabled && now.wanted)) << "a trial of what is not wanted";
    EXPECT_TRUE(!now.provisional || next || !now.waits_for.empty()) << "a trial without an end";
    EXPECT_TRUE(!now.next_retry || is_failed(now.state));
    EXPECT_TRUE(!now.provisional || world.trial_attempts() <= SupervisedModule::trial_attempts);
    EXPECT_TRUE(!now.next_retry || *now.next_retry - world.clock.steady() <= longest_wait(now.pace));
    EXPECT_TRUE(now.quarantine.empty() || !now.enabled);
  }
  static Milliseconds longest_wait(RetryPace pace) {
    switch (pace) {
      case RetryPace::quick: return RestartPolicy::longest_delay * 6 / 5;
      case RetryPace::slow: return RestartPolicy::slow_delay;
      case RetryPace::memory_hold: return RestartPolicy::memory_hold;
      case RetryPace::never: break;
    }
    return Milliseconds(0);
  }
  static void check_journal(const World& world) {
    std::optional<ModuleState> last;
    for (const Transition& transition : world.core->journal().after(0).transitions) {
      EXPECT_EQ(last.value_or(transition.from), transition.from);
      last = transition.to;
      bool arrow = transition.from == transition.to;
      for (std::size_t event = 0; event < module_events; ++event)
        arrow |= next_state(transition.from, static_cast<ModuleEvent>(event)) == transition.to;
      EXPECT_TRUE(arrow) << to_string(transition.from) << " to " << to_string(transition.to);
    }
    EXPECT_EQ(last.value_or(disabled), world.state(World::name));
  }

  // On a board where nothing else goes wrong, commands lead from anywhere to anywhere.
  static void check_way_out(World& world) {
    if (!world.keeper_is_there()) world.back();
    world.board.unkillable.clear();
    world.core->set_memory_short(false);
    for (const auto& [command, goal] :
         {std::pair(ModuleCommand::disable, disabled), std::pair(ModuleCommand::enable, idle),
          std::pair(ModuleCommand::stop, disabled)}) {
      world.command(World::name, command);
      for (int step = 0; step < 20 && world.state(World::name) != goal; ++step) {
        if (world.is_asked_for()) world.make(World::name);
        if (world.state(World::name) == starting && world.is_alive()) world.says_ready();
        if (world.state(World::name) != goal) world.next_deadline();
      }
      EXPECT_EQ(to_string(world.state(World::name)), to_string(goal)) << "after " << to_string(command);
    }
  }
};

TEST_P(ModelCheck, EveryReachableStateKeepsThePromises) {
  std::set<std::string> seen;
  std::deque<Path> frontier{Path{}};
  std::size_t steps = 0;
  bool third_attempt_reverts = false;
  seen.insert(key(*arrive({})));
  while (!frontier.empty()) {
    const Path path = std::move(frontier.front());
    frontier.pop_front();
    check_way_out(*arrive(path));
    ASSERT_FALSE(HasFailure()) << "from: " << describe(path);
    const auto here = arrive(path);
    for (std::size_t event = 0; event < GetParam().events->size(); ++event) {
      if (!event_at(event).possible(*here)) continue;
      const auto world = arrive(path);
      const ModuleStatus before = world->status(World::name);
      const std::size_t reverts = world->reverts.size();
      happen(*world, event);
      ++steps;
      third_attempt_reverts |=
          world->reverts.size() > reverts && world->trial_attempts() == SupervisedModule::trial_attempts;
      check_step(*world, before, reverts, event_at(event).title);
      Path next = path;
      next.push_back(event);
      ASSERT_FALSE(HasFailure()) << describe(next) << "\nfrom " << key(*here) << "\nto   " << key(*world);
      if (seen.insert(key(*world)).second) frontier.push_back(std::move(next));
    }
  }
  RecordProperty("states", static_cast<int>(seen.size()));
  RecordProperty("steps", static_cast<int>(steps));
  std::set<std::string> states;
  for (const std::string& key : seen)
    states.insert(key.substr(0, key.find(' ')));
  if (!GetParam().counts) {
    EXPECT_EQ(states.size(), module_states);
    return;
  }
  EXPECT_TRUE(third_attempt_reverts);
  for (const RetryPace pace : {RetryPace::quick, RetryPace::slow, RetryPace::memory_hold, RetryPace::never}) {
    const std::string paced = " pace=" + std::to_string(static_cast<int>(pace)) +
                              " retry=" + (pace == RetryPace::never ? "0" : "1");
    EXPECT_TRUE(std::ranges::any_of(seen, [&](const std::string& situation) {
      return situation.find(paced) != std::string::npos;
    })) << paced;
  }
}
INSTANTIATE_TEST_SUITE_P(Kinds, ModelCheck,
                         testing::Values(Kind{"daemon", Readiness::notify, Retry::always, &events, false},
                                         Kind{"module", Readiness::module, Retry::never, &events, false},
                                         Kind{"job", Readiness::exec, Retry::on_failure, &events, false},
                                         Kind{"failing", Readiness::notify, Retry::always, &failing_events,
                                              true}),
                         [](const auto& suite) { return suite.param.title; });

// The table by itself: each state can be left, and reached.
TEST(TransitionTable, HasNoDeadEnd) {
  for (std::size_t state = 0; state < module_states; ++state) {
    bool left = false, reached = false;
    for (std::size_t event = 0; event < module_events; ++event) {
      const auto next = next_state(static_cast<ModuleState>(state), static_cast<ModuleEvent>(event));
      left |= next.has_value() && *next != static_cast<ModuleState>(state);
      for (std::size_t from = 0; from < module_states; ++from)
        reached |= next_state(static_cast<ModuleState>(from), static_cast<ModuleEvent>(event)) ==
                   static_cast<ModuleState>(state);
    }
    EXPECT_TRUE(left && reached) << to_string(static_cast<ModuleState>(state));
  }
}

}  // namespace
}  // namespace starling::agent
