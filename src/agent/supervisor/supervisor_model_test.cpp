// Every state that a module can get into, by every event that can happen there, breadth first: the real
// machine is driven along the shortest way to each and must keep its promises. Two situations that differ
// only in how often the module has failed count as one, or there would be no end of them; a smaller model
// with fewer events tells these apart, as far as numbers matter. What does not concern each other has models
// of its own: what a module says, what becomes of its folder, and a second module that it waits for.
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
  static constexpr const char* second = "n";

  explicit World(void (*form)(World&)) {
    ModuleManifest& manifest = module(name);
    manifest.watchdog = Seconds(2);
    manifest.stop_timeout = Seconds(3);
    form(*this);
    start_agent();
  }
  ModuleManifest& first() { return *manifests.at(name); }

  const FakeBoard::Child* child(const char* of = name) const {
    const auto found = board.children.find(present(of));
    return found == board.children.end() || found->second.exit ? nullptr : &found->second;
  }
  bool is_asked_for(const char* of = name) const {
    return keeper_is_there() && child(of) != nullptr && child(of)->pid == 0;
  }
  bool is_alive(const char* of = name) const {
    return keeper_is_there() && child(of) != nullptr && child(of)->pid != 0;
  }
  bool keeper_is_there() const { return !board.keeper_away; }
  int last_signal() const {  // to the present run
    for (auto signal = board.signals.rbegin(); signal != board.signals.rend(); ++signal)
      if (signal->id == present(name)) return signal->number;
    return 0;
  }
  void ask(ModuleCommand what, const char* of = name) {
    ++asked;
    command(of, what);
  }
  void enable() {
    trial_starts = status(name).starts;
    ask(ModuleCommand::enable);
  }
  void lose_agent() {  // and with it who would have been answered
    asked = answers.size();
    memory_short = false;
    trial_starts = 0;
  }

  // ---- what it says
  void says(void (*what)(NotifyMessage&)) {
    NotifyMessage message;
    what(message);
    say(name, message);
  }
  bool is_naming() const {  // a main process, and the keeper has not answered
    return answered_names < board.named.size() && board.named.back().id == present(name) &&
           board.children.contains(present(name));
  }
  void names_main() {
    answered_names = board.named.size();
    name_main(name, status(name).pid + 1'000);
  }
  void answer_name(bool takes) {
    answered_names = board.named.size();
    if (takes) {
      take_main();
    } else {
      refuse_main(ESRCH);
    }
  }

  // ---- its folder
  bool is_there() const { return core->status(name).has_value(); }
  void change_manifest() {
    changed = !changed;
    first().args = changed ? std::vector<std::string>{"--other"} : std::vector<std::string>{};
    core->replace_manifest(name, first());
    deliver();
  }
  void spoil_manifest(bool is_broken) {
    broken = is_broken;
    if (broken) {
      core->replace_manifest(name, fail(ErrorCode::invalid_argument, "no TOML"));
    } else {
      core->replace_manifest(name, first());
    }
    deliver();
  }
  void take_folder() {
    gone = true;
    core->remove(name);
    deliver();
  }
  void bring_folder() {
    gone = broken = false;
    core->add(name, first(), enabled[name]);
    deliver();
  }
  void go_down() {
    going_down = true;
    core->shut_down([this] { down = true; });
    deliver();
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
        << " recovering=" << recovery->recovering() << " reloads=" << now.reloading
        << " naming=" << is_naming() << " changed=" << changed << now.manifest_pending << " broken=" << broken
        << " there=" << !gone << is_there();
    return key.str();
  }
  // The same where there are two: what makes the failures of one differ is told apart elsewhere.
  std::string key_of_both() const {
    std::ostringstream key;
    for (const char* each : {name, second}) {
      const ModuleStatus now = status(each);
      key << to_string(now.state) << (now.enabled ? " enabled" : "") << (now.wanted ? " wanted" : "")
          << (now.provisional ? " provisional" : "") << " retry=" << now.next_retry.has_value()
          << " wait=" << static_cast<int>(now.wait) << " asked=" << is_asked_for(each)
          << " alive=" << is_alive(each) << "; ";
    }
    key << "short=" << memory_short << " down=" << going_down << down;
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
  bool changed = false, broken = false, gone = false;
  bool going_down = false, down = false;
  std::size_t asked = 0;           // commands
  std::size_t answered_names = 0;  // by the keeper
  int trial_starts = 0;            // before the present trial
  int memory_deaths = 0;           // since nothing was wrong
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
std::function<void(World&)> commanding(ModuleCommand command, const char* module = World::name) {
  return [command, module](World& world) { world.ask(command, module); };
}
std::function<void(World&)> saying(void (*what)(NotifyMessage&)) {
  return [what](World& world) { world.says(what); };
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
       world.lose_agent();
       world.start_agent();
     }},
    {"power cut", keeper_there,
     [](World& world) {
       world.pull_plug("boot-2");
       world.board.unkillable.clear();
       world.lose_agent();
       world.start_agent();
     }},
};

std::vector<Event> some_of(const std::set<std::string_view>& titles, const std::vector<Event>& more) {
  std::vector<Event> some;
  std::ranges::copy_if(events, std::back_inserter(some),
                       [&](const Event& event) { return titles.contains(event.title); });
  std::ranges::copy(more, std::back_inserter(some));
  return some;
}
bool names(const World& world) {
  return world.is_naming() && world.keeper_is_there();
}
bool has_good_folder(const World& world) {
  return world.is_there() && !world.gone && !world.broken;
}

const std::vector<Event> failing_events =
    some_of({"enable", "start", "stop", "made", "not made", "cannot be made", "ready", "dies", "deadline",
             "six minutes"},
            {{"runs out of memory", alive, [](World& world) { world.run_out_of_memory(); }}});

const std::vector<Event> talking_events = some_of(
    {"enable", "stop", "restart", "settings", "made", "ready", "dies", "exits", "deadline", "keeper away",
     "keeper back", "agent killed", "old word"},
    {{"reloads", alive, saying([](NotifyMessage& message) { message.reloading = true; })},
     {"asks for more time", alive,
      saying([](NotifyMessage& message) { message.extend_timeout = Seconds(100); })},
     {"is broken, it says", alive,
      saying([](NotifyMessage& message) { message.watchdog = NotifyWatchdog::trigger; })},
     {"says that it stops", alive, saying([](NotifyMessage& message) { message.stopping = true; })},
     {"names another main process", [](const World& world) { return world.is_alive() && !world.is_naming(); },
      [](World& world) { world.names_main(); }},
     {"main process taken", names, [](World& world) { world.answer_name(true); }},
     {"main process refused", names, [](World& world) { world.answer_name(false); }}});

const std::vector<Event> changing_events = some_of(
    {"enable", "disable", "start", "restart", "settings", "made", "cannot be made", "ready", "dies", "exits",
     "dies, its children live", "its children end", "deadline"},
    {{"manifest changed", has_good_folder, [](World& world) { world.change_manifest(); }},
     {"manifest broken", has_good_folder, [](World& world) { world.spoil_manifest(true); }},
     {"manifest mended", [](const World& world) { return world.is_there() && !world.gone && world.broken; },
      [](World& world) { world.spoil_manifest(false); }},
     {"folder gone", [](const World& world) { return !world.gone; },
      [](World& world) { world.take_folder(); }},
     {"folder back", [](const World& world) { return world.gone; },
      [](World& world) { world.bring_folder(); }}});

const std::vector<Event> waiting_events =
    some_of({"enable", "disable", "start", "made", "not made", "ready", "dies", "deadline", "memory short",
             "memory enough"},
            {{"the second is started", always, commanding(ModuleCommand::start, World::second)},
             {"the second is stopped", always, commanding(ModuleCommand::stop, World::second)},
             {"the second is made", [](const World& world) { return world.is_asked_for(World::second); },
              [](World& world) { world.make(World::second); }},
             {"the second is ready", [](const World& world) { return world.is_alive(World::second); },
              [](World& world) { world.ready(World::second); }},
             {"the second dies", [](const World& world) { return world.is_alive(World::second); },
              [](World& world) { world.die(World::second); }},
             {"the device goes down", [](const World& world) { return !world.going_down; },
              [](World& world) { world.go_down(); }}});

struct Kind {
  enum class Tells { states, counts, both };  // situations apart

  const char* title;
  void (*form)(World&);  // its modules
  const std::vector<Event>* events;
  std::size_t most_states;
  Tells tells = Tells::states;
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
    auto world = std::make_unique<World>(GetParam().form);
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
    if (GetParam().tells == Kind::Tells::both) return world.key_of_both();
    return world.key() + (GetParam().tells == Kind::Tells::counts ? world.counts() : "");
  }

  static void check_step(const World& world, const ModuleStatus& before, std::size_t reverts_before,
                         std::string_view event) {
    const ModuleStatus now = world.status(World::name);
    const bool reverted = world.reverts.size() > reverts_before;
    const bool is_same = !before.name.empty() && !now.name.empty();  // it has been there
    if (is_same && now.enabled != before.enabled && event != "enable" && event != "disable") {
      EXPECT_TRUE(reverted && before.enabled) << "enabled changed without a command";
    }
    EXPECT_TRUE(!reverted || before.provisional || event == "enable") << "a confirmed enable was reverted";
    EXPECT_THAT(world.board.violations, testing::IsEmpty());
    EXPECT_TRUE(!is_same || now.epoch >= before.epoch || event == "agent killed" || event == "power cut");
    for (const auto& [name, manifest] : world.manifests) {
      EXPECT_LE(world.board.living(name), 1);
      if (world.core->status(name)) check_state(world, world.status(name));
      check_journal(world, name);
    }
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
    EXPECT_TRUE(!down || !world.keeper_is_there() || world.board.living(now.name) == 0);
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
  static void check_journal(const World& world, const std::string& name) {
    std::optional<ModuleState> last;
    for (const Transition& transition : world.core->journal().after(0).transitions) {
      if (transition.module != name) continue;
      EXPECT_EQ(last.value_or(transition.from), transition.from);
      last = transition.to;
      bool arrow = transition.from == transition.to;
      for (std::size_t event = 0; event < module_events; ++event)
        arrow |= next_state(transition.from, static_cast<ModuleEvent>(event)) == transition.to;
      EXPECT_TRUE(arrow) << to_string(transition.from) << " to " << to_string(transition.to);
    }
    EXPECT_EQ(last.value_or(disabled), world.state(name));
  }

  // Whoever asked is answered, whatever does not happen.
  static void check_answers(World& world) {
    if (world.answers.size() == world.asked) return;
    world.pass(2 * longest_start_timeout + Seconds(60));
    EXPECT_EQ(world.answers.size(), world.asked);
  }

  // On a board where nothing else goes wrong, commands lead from anywhere to anywhere.
  static void check_way_out(World& world) {
    if (!world.keeper_is_there()) world.back();
    if (world.is_naming()) world.answer_name(false);
    world.board.unkillable.clear();
    world.core->set_memory_short(false);
    if (world.going_down) return check_way_down(world);
    if (world.gone) world.bring_folder();
    if (world.broken) world.spoil_manifest(false);
    if (world.core->status(World::second)) lead(world, World::second, ModuleCommand::restart, idle);
    lead(world, World::name, ModuleCommand::disable, disabled);
    lead(world, World::name, ModuleCommand::enable, idle);
    lead(world, World::name, ModuleCommand::stop, disabled);
  }
  static void lead(World& world, const char* name, ModuleCommand command, ModuleState goal) {
    world.command(name, command);
    for (int step = 0; step < 20 && world.state(name) != goal; ++step) {
      if (world.is_asked_for(name)) world.make(name);
      if (world.state(name) == starting && world.is_alive(name)) {
        world.ready(name);
        world.core->said_hello(name);
      }
      if (world.state(name) != goal) world.next_deadline();
    }
    EXPECT_EQ(to_string(world.state(name)), to_string(goal)) << name << " after " << to_string(command);
  }
  static void check_way_down(World& world) {
    for (int step = 0; step < 20 && !world.down; ++step)
      world.next_deadline();
    EXPECT_TRUE(world.down);
    for (const auto& [name, manifest] : world.manifests)
      EXPECT_EQ(to_string(world.state(name)), to_string(disabled));
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
    check_answers(*arrive(path));
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
  EXPECT_LE(seen.size(), GetParam().most_states) << "tell less apart, or it takes too long";
  std::set<std::string> states;
  for (const std::string& key : seen)
    states.insert(key.substr(0, key.find(' ')));
  if (GetParam().tells != Kind::Tells::counts) {
    EXPECT_GE(states.size(), GetParam().events == &events ? module_states : module_states - 2);
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

void daemon(World&) {}
void module(World& world) {
  world.first().readiness = Readiness::module;
  world.first().retry = Retry::never;
}
void job(World& world) {
  world.first().readiness = Readiness::exec;
  world.first().retry = Retry::on_failure;
}
void signalled(World& world) {
  world.first().on_change = OnChange::signal;
}
void restarted(World& world) {
  world.first().on_change = OnChange::restart;
}
void requiring(World& world) {
  world.module(World::second).stop_timeout = Seconds(3);
  world.first().requirements = {World::second};
}
void following(World& world) {
  world.module(World::second).stop_timeout = Seconds(3);
  world.first().after = {World::second};
}
INSTANTIATE_TEST_SUITE_P(
    Kinds, ModelCheck,
    testing::Values(Kind{"daemon", daemon, &events, 10'000}, Kind{"module", module, &events, 10'000},
                    Kind{"job", job, &events, 10'000},
                    Kind{"failing", daemon, &failing_events, 1'000, Kind::Tells::counts},
                    Kind{"signalled", signalled, &talking_events, 1'500},
                    Kind{"restarted", restarted, &changing_events, 1'000},
                    Kind{"requiring", requiring, &waiting_events, 1'000, Kind::Tells::both},
                    Kind{"following", following, &waiting_events, 1'000, Kind::Tells::both}),
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
