#include "agent/supervisor/processes/process_tree.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

ModuleManifest named(std::string name) {
  ModuleManifest manifest;
  manifest.name = std::move(name);
  return manifest;
}

ModuleLimits limited(std::uint64_t memory_bytes, std::optional<std::uint32_t> cpu_percent = {}) {
  ModuleLimits limits;
  limits.memory_bytes = memory_bytes;
  limits.cpu_percent = cpu_percent;
  return limits;
}

// Each process of these trees ignores SIGTERM, says a line when it is there, and stays until the test ends:
// whatever it is that a test has missed, there is nothing left then that its end would wait for.
constexpr const char* stays = "trap '' TERM; echo here; read -r _ <&9";

// A test is the keeper of what it starts: orphans come to it.
struct Trees : testing::Test {
  Trees() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    stay.reset(ends[0]);
    let_go.reset(ends[1]);
  }
  ~Trees() override {
    let_go.reset();
    reap_all();
  }

  // Starts a shell script as the keeper does: own session, the place's variables, its cgroup.
  ProcessEntry start(const TreePlace& place, const std::string& script) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const std::string command = "exec 9<&0; " + script;
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::setsid();
      ::dup2(stay.number(), STDIN_FILENO);
      ::dup2(ends[1], STDOUT_FILENO);
      if (!place.cgroup.empty()) std::ofstream(place.cgroup + "/cgroup.procs") << ::getpid();
      for (const auto& [name, value] : place.environment)
        ::setenv(name.c_str(), value.c_str(), 1);
      ::setenv("STAYS", stays, 1);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
    ::close(ends[1]);
    output.reset(ends[0]);
    return table.entry(pid).value();
  }

  void wait_for_lines(int count) {
    char c = 0;
    while (count > 0) {
      ASSERT_EQ(::read(output.number(), &c, 1), 1);
      if (c == '\n') --count;
    }
  }
  ProcessEntry child_of(const ProcessEntry& parent) const {
    for (const ProcessEntry& process : table.all()) {
      if (process.parent == parent.pid) return process;
    }
    throw std::runtime_error("it has no child");
  }
  static void end(const ProcessEntry& process) {
    ::kill(process.pid, SIGKILL);
    EXPECT_EQ(::waitpid(process.pid, nullptr, 0), process.pid);
  }
  // Whoever lives holds its output open.
  void expect_all_to_end() {
    pollfd ended{output.number(), POLLIN, 0};
    char rest[64];
    ssize_t got = -1;
    do {
      ASSERT_EQ(::poll(&ended, 1, 60'000), 1) << "something lives";
      got = ::read(output.number(), rest, sizeof rest);
    } while (got > 0);
    reap_all();
  }
  static void reap_all() {
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
  }

  ProcessTable table;
  FileDescriptor output, stay, let_go;
  // Another run of these tests on the same machine has modules of the same names.
  const std::string owner = "/state/" + std::to_string(::getpid());
};

// A shell, a double-forked one in a session of its own, and a grandchild in the background.
constexpr const char* wild_tree = "(setsid sh -c \"$STAYS\" &) ; sh -c \"$STAYS\" & exec sh -c \"$STAYS\"";

TEST_F(Trees, TheSweepEndsATreeThatIgnoresSigtermAndDoubleForks) {
  ProcessTrees trees(table, std::nullopt, owner, {});
  const TreePlace place = trees.make(named("wild"), "wild:1").value();
  EXPECT_EQ(place.cgroup, "");
  const ProcessEntry leader = start(place, wild_tree);
  trees.led_by("wild", leader.pid, leader.start_time, false);
  wait_for_lines(3);
  EXPECT_FALSE(trees.empty("wild"));
  EXPECT_GE(trees.processes("wild").size(), 3u);
  trees.kill("wild");
  expect_all_to_end();
  EXPECT_TRUE(trees.empty("wild"));
}

TEST_F(Trees, ALaterAgentFindsTheTreeByItsVariableAlone) {
  const TreePlace place = ProcessTrees(table, std::nullopt, owner, {}).make(named("wild"), "wild:1").value();
  start(place, wild_tree);
  wait_for_lines(3);
  ProcessTrees other(table, std::nullopt, owner + "b", {});
  EXPECT_TRUE(other.empty("wild"));  // another agent's module of the same name
  ProcessTrees later(table, std::nullopt, owner, {});
  EXPECT_TRUE(later.empty("wil"));
  EXPECT_FALSE(later.empty("wild"));
  later.kill("wild");
  expect_all_to_end();
  EXPECT_TRUE(later.empty("wild"));
}

TEST_F(Trees, WhatClearsItsEnvironmentIsFoundBySessionAndParent) {
  ProcessTrees trees(table, std::nullopt, owner, {});
  const TreePlace place = trees.make(named("shy"), "shy:1").value();
  // Once without a variable in the leader's session, once in a session of its own as a child of a member.
  const ProcessEntry leader =
      start(place, "(env -i sh -c \"$STAYS\" &) ; env -i setsid sh -c \"$STAYS\" & exec sh -c \"$STAYS\"");
  trees.led_by("shy", leader.pid, leader.start_time, false);
  wait_for_lines(3);
  EXPECT_FALSE(trees.empty("shy"));
  // Seen once, it stays found when its parent is gone and it clings to nothing.
  end(leader);
  EXPECT_GE(trees.processes("shy").size(), 2u);
  trees.kill("shy");
  expect_all_to_end();
  EXPECT_TRUE(trees.empty("shy"));
}

TEST_F(Trees, WhatKeepsNothingButItsLogIsFoundByThat) {
  ProcessTrees trees(table, std::nullopt, owner, {});
  const TreePlace place = trees.make(named("shy"), "shy:1").value();
  const ProcessEntry leader = start(
      place, "env -i setsid sh -c \"setsid env -i sh -c \\\"$STAYS\\\" & exit\"; exec sh -c \"$STAYS\"");
  trees.led_by("shy", leader.pid, leader.start_time, false);
  trees.writes_to("shy", output);
  trees.writes_to("shy", {});
  wait_for_lines(2);
  end(leader);
  ProcessTrees later(table, std::nullopt, owner, {}), stranger(table, std::nullopt, owner, {});
  later.led_by("shy", leader.pid, leader.start_time, false);
  later.writes_to("shy", output);
  stranger.led_by("shy", leader.pid, leader.start_time, false);
  stranger.writes_to("shy", stay);
  EXPECT_THAT(stranger.processes("shy"), testing::IsEmpty());
  const std::vector<std::int32_t> found = trees.processes("shy");
  ASSERT_THAT(found, testing::SizeIs(1));
  EXPECT_EQ(later.membership("shy", found[0]), Membership::marked) << "any process of its user may open it";
  EXPECT_EQ(later.membership("other", found[0]), Membership::stranger);
  EXPECT_EQ(later.module_of(found[0]), "shy");
  EXPECT_THAT(later.by_module()["shy"], testing::SizeIs(1));
  EXPECT_FALSE(later.empty("shy"));
  later.kill("shy");
  expect_all_to_end();
  EXPECT_TRUE(trees.empty("shy"));
}

TEST_F(Trees, ANamedMainProcessIsKnownWithWhatItStartedWhateverTheyCastOff) {
  ProcessTrees trees(table, std::nullopt, owner, {});
  const TreePlace place = trees.make(named("daemon"), "daemon:1").value();
  const ProcessEntry leader =
      start(place, "env -i setsid sh -c \"sh -c \\\"$STAYS\\\" & $STAYS\" & exec sh -c \"$STAYS\"");
  trees.led_by("daemon", leader.pid, leader.start_time, false);
  wait_for_lines(3);
  const ProcessEntry main = child_of(leader), other = child_of(main);
  ASSERT_EQ(main.session, main.pid);
  ASSERT_EQ(other.session, main.pid);
  trees.main_is("daemon", main.pid, main.start_time);
  end(leader);
  EXPECT_EQ(trees.membership("daemon", main.pid), Membership::member);
  EXPECT_EQ(trees.membership("daemon", other.pid), Membership::member);
  EXPECT_THAT(trees.by_module()["daemon"], testing::SizeIs(2));
  end(main);
  EXPECT_EQ(trees.membership("daemon", other.pid), Membership::member);
  ProcessTrees later(table, std::nullopt, owner, {});
  later.led_by("daemon", leader.pid, leader.start_time, false);
  later.main_is("daemon", main.pid, main.start_time);
  EXPECT_EQ(later.membership("daemon", other.pid), Membership::stranger) << "the number may be another's";
  EXPECT_FALSE(later.main_lives("daemon"));
  trees.kill("daemon");
  expect_all_to_end();
  EXPECT_TRUE(trees.empty("daemon"));
}

TEST_F(Trees, MembershipIsOfTheTreeOnly) {
  ProcessTrees trees(table, std::nullopt, owner, {});
  const ProcessEntry one = start(trees.make(named("one"), "one:1").value(), "exec sh -c \"$STAYS\"");
  wait_for_lines(1);
  trees.led_by("one", one.pid, one.start_time, false);
  EXPECT_EQ(trees.membership("one", one.pid), Membership::member);
  EXPECT_EQ(trees.membership("two", one.pid), Membership::stranger);
  EXPECT_EQ(trees.membership("one", ::getpid()), Membership::stranger);
  trees.kill("one");
  expect_all_to_end();
  EXPECT_EQ(trees.membership("one", one.pid), Membership::gone);
}

TEST_F(Trees, WhoOnlySaysWhoseItIsIsToldFromWhoIsIt) {
  ProcessTrees trees(table, std::nullopt, owner, {});
  const TreePlace place = trees.make(named("one"), "one:1").value();
  const ProcessEntry other = start(place, "exec sh -c \"$STAYS\"");  // has the variable, and was not spawned
  wait_for_lines(1);
  EXPECT_EQ(trees.membership("one", other.pid), Membership::marked);
  EXPECT_TRUE(trees.member("one", other.pid));
  EXPECT_THAT(trees.processes("one"), testing::ElementsAre(other.pid));
  EXPECT_EQ(trees.membership("one", other.pid), Membership::marked) << "to be seen with it proves nothing";
  trees.led_by("one", other.pid, other.start_time, false);
  EXPECT_EQ(trees.membership("one", other.pid), Membership::member);
  trees.kill("one");
  expect_all_to_end();
}

TEST_F(Trees, ANumberThatSomebodyElseGotIsNotSignalled) {
  const ProcessEntry victim = start({}, "exec sh -c \"$STAYS\"");
  wait_for_lines(1);
  ProcessEntry former = victim;
  former.start_time -= 1;
  EXPECT_EQ(signal_process(table, former, SIGKILL), ESRCH);
  EXPECT_TRUE(table.entry(victim.pid)->alive());
  EXPECT_EQ(signal_process(table, victim, SIGKILL), 0);
}

// A cgroup of its own below the one that the test is in, as a unit with Delegate=yes has.
class OwnCgroup {
 public:
  OwnCgroup() {
    fs::path mount;
    std::ifstream mounts("/proc/self/mountinfo"), cgroups("/proc/self/cgroup");
    for (std::string line; std::getline(mounts, line);) {
      std::istringstream words(line);
      std::vector<std::string> all(std::istream_iterator<std::string>(words), {});
      if (line.find(" - cgroup2 ") != std::string::npos && all.size() > 4 && all[3] == "/") mount = all[4];
    }
    std::string present;
    for (std::string line; std::getline(cgroups, line);)
      if (line.starts_with("0::/")) present = line.substr(std::string("0::/").size());
    if (mount.empty()) return;
    const fs::path below = fs::path(present) / ("starling-test-" + std::to_string(::getpid()));
    if (::mkdir((mount / below).c_str(), 0755) != 0) return;
    folder_ = mount / below;
    std::ofstream(proc_ / "mountinfo") << read_file("/proc/self/mountinfo", 1 << 20).value_or("");
    std::ofstream(proc_ / "cgroup") << "0::/" << below.string() << "\n";
  }
  ~OwnCgroup() {
    if (folder_.empty()) return;
    for (const auto& entry : fs::directory_iterator(folder_))
      if (entry.is_directory()) ::rmdir(entry.path().c_str());
    ::rmdir(folder_.c_str());
  }
  OwnCgroup(const OwnCgroup&) = delete;
  OwnCgroup& operator=(const OwnCgroup&) = delete;

  bool is_there() const { return !folder_.empty(); }
  Result<CgroupTree> take() const {
    CgroupTree::System system;
    system.proc_self = proc_.path();
    system.delegated = [](const fs::path&) { return true; };
    return CgroupTree::take(system);
  }

 private:
  const TemporaryFolder proc_;
  fs::path folder_;
};

// Where this machine has a hierarchy of version 2 that may be written, the real one.
TEST_F(Trees, ACgroupEndsTheTreeWhereThereIsOne) {
  const OwnCgroup own;
  auto cgroups = own.is_there() ? own.take() : CgroupTree::take({});
  if (!cgroups) {
    EXPECT_FALSE(own.is_there()) << cgroups.error().message;
    EXPECT_THAT(cgroups.error().message, testing::StartsWith("cgroups are not used: "));
    return;
  }
  const std::string name = "test-" + std::to_string(::getpid());
  ProcessTrees trees(table, *std::move(cgroups), owner, {});
  const TreePlace place = trees.make(named(name), name + ":1").value();
  ASSERT_TRUE(fs::exists(place.cgroup + "/cgroup.procs"));
  // Nothing but the cgroup holds them together.
  const ProcessEntry leader =
      start({place.cgroup, {}}, "(env -i setsid sh -c \"$STAYS\" &) ; exec sh -c \"$STAYS\"");
  trees.led_by(name, leader.pid, leader.start_time, true);
  wait_for_lines(2);
  EXPECT_FALSE(trees.empty(name));
  EXPECT_GE(trees.processes(name).size(), 2u);
  EXPECT_EQ(trees.membership(name, leader.pid), Membership::member);
  EXPECT_EQ(trees.membership(name + "x", leader.pid), Membership::stranger);
  EXPECT_TRUE(trees.cgroups()->cpu_us(name));
  EXPECT_EQ(trees.make(named(name), "again").error().code, ErrorCode::failed_precondition);
  trees.kill(name);
  expect_all_to_end();
  EXPECT_TRUE(trees.empty(name));
  EXPECT_TRUE(trees.make(named(name), "again"));  // the folder of before is no obstacle
  fs::remove(place.cgroup);
}

// A folder with the files that a kernel would show.
struct FakeCgroups : testing::Test {
  FakeCgroups() : root(fs::temp_directory_path() / ("starling-cgroups-" + std::to_string(::getpid()))) {
    fs::remove_all(root);
    fs::create_directories(own());
    fs::create_directories(root / "proc");
    put("proc/mountinfo", "29 23 0:25 / /sys rw - sysfs sysfs rw\n30 23 0:26 / " + (root / "cg").string() +
                              " rw,nosuid - cgroup2 cgroup2 rw\n");
    put("proc/cgroup", "9:name=systemd:/x\n0::/system.slice/starling.service\n");
    system.proc_self = root / "proc";
    system.delegated = [](const fs::path&) { return true; };
    system.made = [](const fs::path& folder) {
      for (const char* file : {"memory.max", "memory.oom.group", "cpu.max", "cgroup.kill", "cgroup.procs"})
        std::ofstream(folder / file) << "";
    };
  }
  ~FakeCgroups() override { fs::remove_all(root); }

  fs::path own() const { return root / "cg/system.slice/starling.service"; }
  void put(const fs::path& path, std::string_view text) const { std::ofstream(root / path) << text; }
  static std::string text(const fs::path& path) { return read_file(path, 4096).value_or("(none)"); }
  void controllers(std::string_view names) const {
    std::ofstream(own() / "cgroup.controllers") << names;
    std::ofstream(own() / "cgroup.subtree_control") << "";
  }

  fs::path root;
  CgroupTree::System system;
};

TEST_F(FakeCgroups, LimitsAreWrittenWhereThereAreControllers) {
  controllers("cpuset cpu io memory pids\n");
  const auto tree = CgroupTree::take(system);
  ASSERT_TRUE(tree) << tree.error().message;
  EXPECT_TRUE(tree->has_memory() && tree->has_cpu());
  const auto made = tree->make("recorder", limited(64u << 20, 150)).value();
  EXPECT_EQ(made.folder, own() / "module.recorder");
  EXPECT_EQ(made.problem, "");
  EXPECT_EQ(text(made.folder / "memory.max"), "67108864");
  EXPECT_EQ(text(made.folder / "memory.oom.group"), "1");
  EXPECT_EQ(text(made.folder / "cpu.max"), "150000 100000");
  EXPECT_TRUE(tree->holds("recorder", "/system.slice/starling.service/module.recorder"));
  EXPECT_TRUE(tree->holds("recorder", "/system.slice/starling.service/module.recorder/inner"));
  EXPECT_FALSE(tree->holds("recorder", "/system.slice/starling.service/module.recorder2"));
  tree->kill("recorder");
  EXPECT_EQ(text(made.folder / "cgroup.kill"), "1");
}

TEST_F(FakeCgroups, WithoutTheMemoryControllerTreesAreStillHeld) {
  controllers("cpuset cpu io pids\n");
  const auto tree = CgroupTree::take(system);
  ASSERT_TRUE(tree);
  EXPECT_FALSE(tree->has_memory());
  EXPECT_TRUE(tree->has_cpu());
  const auto made = tree->make("recorder", limited(64u << 20)).value();
  EXPECT_EQ(text(made.folder / "memory.max"), "");
  EXPECT_FALSE(tree->memory_events("recorder"));
  EXPECT_EQ(tree->unmet("recorder", limited(64u << 20)), "memory (no controller)");
  EXPECT_EQ(tree->unmet("recorder", {}), "");
}

TEST_F(FakeCgroups, WhichLimitsAreInForceIsSeenByTheNextAgentToo) {
  controllers("cpu memory\n");
  const ModuleLimits limits = limited(64u << 20, 150);
  const auto folder = CgroupTree::take(system)->make("recorder", limits).value().folder;
  const auto later = CgroupTree::take(system);
  EXPECT_EQ(later->unmet("recorder", limits), "");
  std::ofstream(folder / "memory.max") << "67104768\n";
  EXPECT_EQ(later->unmet("recorder", limits), "") << "a page less";
  std::ofstream(folder / "memory.max") << "max\n";
  std::ofstream(folder / "cpu.max") << "max 100000\n";
  EXPECT_EQ(later->unmet("recorder", limits), "memory (memory.max is 'max'), cpu (cpu.max is 'max 100000')");
  std::ofstream(folder / "memory.max") << std::string(4'000, '9');
  EXPECT_LT(later->unmet("recorder", limits).size(), 256u);
}

TEST_F(Trees, WithoutACgroupNoLimitOfOneIsInForce) {
  ProcessTrees trees(table, std::nullopt, owner, {});
  ModuleManifest manifest = named("recorder");
  EXPECT_EQ(trees.unmet_limits(manifest), "");
  manifest.limits = limited(64u << 20, 50);
  EXPECT_EQ(trees.unmet_limits(manifest),
            "limit not in force: memory (no control group), cpu (no control group)");
}

// The kernel does not refuse cpu alone while there are processes, and no module could be started then.
TEST_F(FakeCgroups, WithoutTheMemoryControllerTooItsProcessesMakeRoomFirst) {
  controllers("cpu pids\n");
  std::ofstream(own() / "cgroup.procs") << "4\n";
  const auto tree = CgroupTree::take(system);
  ASSERT_TRUE(tree);
  EXPECT_TRUE(tree->has_cpu());
  EXPECT_EQ(text(own() / "starling" / "cgroup.procs"), "4");
}

TEST_F(FakeCgroups, ALimitThatCannotBeSetIsTold) {
  controllers("memory\n");
  system.made = nullptr;
  const auto made = CgroupTree::take(system)->make("recorder", limited(1u << 20)).value();
  EXPECT_THAT(made.problem, testing::HasSubstr("memory.max 1048576: "));
}

TEST_F(FakeCgroups, ReadsWhatTheKernelCounts) {
  controllers("memory\n");
  const auto tree = CgroupTree::take(system);
  const fs::path folder = tree->make("m", {})->folder;
  std::ofstream(folder / "cgroup.events") << "populated 1\nfrozen 0\n";
  std::ofstream(folder / "memory.events.local")
      << "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 1\n";
  std::ofstream(folder / "cpu.stat") << "usage_usec 1234\nuser_usec 1000\n";
  std::ofstream(folder / "cgroup.procs") << "17\n4\n";
  EXPECT_TRUE(tree->populated("m"));
  EXPECT_EQ(tree->memory_events("m")->out_of_memory, 2u);
  EXPECT_EQ(tree->memory_events("m")->killed, 1u);
  EXPECT_EQ(tree->cpu_us("m"), 1234u);
  EXPECT_EQ(tree->processes("m"), (std::vector<std::int32_t>{17, 4}));
  EXPECT_FALSE(tree->populated("none"));
}

TEST_F(FakeCgroups, AnEarlierStartsLeafIsNotOurPlace) {
  controllers("memory\n");
  fs::create_directories(own() / "starling");
  put("proc/cgroup", "0::/system.slice/starling.service/starling\n");
  const auto tree = CgroupTree::take(system);
  ASSERT_TRUE(tree);
  EXPECT_EQ(tree->make("m", {})->folder, own() / "module.m");
}

TEST_F(FakeCgroups, TwoAgentsInOneCgroupKeepTheirModulesApart) {
  controllers("memory\n");
  system.owner = "/var/lib/kitchen";
  const auto kitchen = CgroupTree::take(system);
  system.owner = "/var/lib/nursery";
  const auto nursery = CgroupTree::take(system);
  const fs::path one = kitchen->make("recorder", {})->folder, other = nursery->make("recorder", {})->folder;
  EXPECT_NE(one, other);
  std::ofstream(one / "cgroup.events") << "populated 1\n";
  EXPECT_TRUE(kitchen->populated("recorder"));
  EXPECT_FALSE(nursery->populated("recorder"));
  EXPECT_TRUE(kitchen->holds("recorder", "/system.slice/starling.service/" + one.filename().string()));
  EXPECT_FALSE(nursery->holds("recorder", "/system.slice/starling.service/" + one.filename().string()));
}

TEST_F(FakeCgroups, SaysWhyItCannotBeUsed) {
  const auto why = [&] {
    const auto tree = CgroupTree::take(system);
    return tree ? std::string() : tree.error().message;
  };
  system.delegated = [](const fs::path&) { return false; };
  EXPECT_THAT(why(), testing::HasSubstr("is not delegated to us (in a systemd unit: Delegate=yes)"));
  put("proc/cgroup", "1:name=systemd:/\n");
  EXPECT_THAT(why(), testing::HasSubstr("this process is in none"));
  put("proc/mountinfo", "29 23 0:25 / /sys rw - sysfs sysfs rw\n");
  EXPECT_THAT(why(), testing::HasSubstr("no hierarchy of version 2 is mounted"));
}

TEST(ProcessTable, KnowsThisProcess) {
  const ProcessTable table;
  const auto own = table.entry(::getpid());
  ASSERT_TRUE(own);
  EXPECT_EQ(own->parent, ::getppid());
  EXPECT_GT(table.proportional_kb(::getpid()).value_or(0), 0u);
  const auto before = table.descriptors(::getpid());
  const FileDescriptor one_more(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(table.descriptors(::getpid()), before + 1);
  EXPECT_FALSE(table.entry(0));
  EXPECT_FALSE(table.has_variable(::getpid(), "NO_SUCH_VARIABLE="));
}

}  // namespace
}  // namespace starling::agent
