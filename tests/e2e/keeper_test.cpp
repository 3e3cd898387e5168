// The keeper and what it holds: started as asked, told of, outliving the agent.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/build_folders.hpp"
#include "e2e/keeper_fixture.hpp"

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;
using namespace keeper;
using namespace std::literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

TEST_F(KeeperTest, StartsAChildAsItWasAskedTo) {
  start();
  KeeperWire agent = attach();
  std::filesystem::create_directory(folder_ / "home");
  SpawnRequest request =
      shell("probe",
            "pwd; echo \"$1 $COLOUR $SECRET\"; ulimit -n; ulimit -c; ulimit -v; umask; nice; "
            "cat /proc/self/oom_score_adj; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l; "
            "ps -o sid= -p $$ | tr -d ' ' | grep -qx $$ && echo leads; echo oops >&2; exit 3");
  request.arguments.insert(request.arguments.end(), {"name", "two words"});
  request.environment.emplace_back("COLOUR=blue");
  request.folder = folder_ / "home";
  request.nice = 7;
  request.oom_score_adj = 300;
  request.limit_nofile = 99;
  request.limit_core_bytes = 0;
  request.limit_as_bytes = 1u << 30;
  request.umask = 027;
  ToldChild child = agent.spawn(request);
  EXPECT_EQ(child.id, "probe");
  EXPECT_GT(child.start, 0u);
  EXPECT_EQ(
      read_pipe(child.handle(Handle::out)),
      (folder_ / "home").string() + "\ntwo words blue \n99\n0\n1048576\n0027\n7\n300\n/dev/null\n4\nleads\n");
  EXPECT_EQ(read_pipe(child.handle(Handle::err)), "oops\n");
  const auto exited = agent.expect<Exited>();
  EXPECT_EQ(exited.id, "probe");
  EXPECT_EQ(exited.pid, child.pid);
  EXPECT_EQ(exited.exit.kind, ExitKind::exited);
  EXPECT_EQ(exited.exit.status, 3);
  EXPECT_GT(exited.exit.max_rss_kb, 0u);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;  // links what a release does not, and takes its memory
#else
constexpr bool sanitized = false;
#endif

TEST_F(KeeperTest, TakesLittleMemoryAndNoLibrary) {
  const fs::path own = fs::path("/proc") / std::to_string(start().pid());
  KeeperWire agent = attach();
  for (int i = 0; i < 20; ++i)
    agent.spawn(shell("child" + std::to_string(i), "exec sleep 1000"));
  const std::string status = read_text(own / "status"), maps = read_text(own / "maps");
  const auto resident = status.find("VmRSS:");
  ASSERT_NE(resident, std::string::npos);
  const int kilobytes = std::stoi(status.substr(resident + std::string("VmRSS:").size()));
  EXPECT_GT(kilobytes, 0);
  EXPECT_TRUE(sanitized || kilobytes < 1024) << kilobytes << " kB";
  EXPECT_TRUE(sanitized || maps.find(".so") == std::string::npos) << maps;
}

TEST_F(KeeperTest, SaysAtWhichStepStartingFailed) {
  start();
  KeeperWire agent = attach();
  write_text(folder_ / "no-program", "hello", 0644);
  write_text(folder_ / "wrong-format",
             "\x7f"
             "ELF?",
             0755);
  agent.spawn(shell("taken", idle));
  struct Case {
    const char* what;
    std::function<void(SpawnRequest&)> spoil;
    SpawnStep step;
    int error;
  };
  std::vector<Case> cases = {
      {"no file", [](auto& r) { r.executable = "/no/such/program"; }, SpawnStep::exec, ENOENT},
      {"no program", [&](auto& r) { r.executable = folder_ / "no-program"; }, SpawnStep::exec, EACCES},
      {"no known format", [&](auto& r) { r.executable = folder_ / "wrong-format"; }, SpawnStep::exec,
       ENOEXEC},
      {"a folder", [](auto& r) { r.executable = "/tmp"; }, SpawnStep::exec, EACCES},
      {"no folder", [](auto& r) { r.folder = "/no/such/folder"; }, SpawnStep::cwd, ENOENT},
      {"no cgroup", [](auto& r) { r.cgroup = "/no/such/cgroup"; }, SpawnStep::cgroup, ENOENT},
      {"oom score", [](auto& r) { r.oom_score_adj = 5000; }, SpawnStep::oom_score, EINVAL},
      {"limit", [](auto& r) { r.limit_nofile = 1ull << 40; }, SpawnStep::limits, EPERM},
      {"a used id", [](auto& r) { r.id = "taken"; }, SpawnStep::id, EEXIST},
      {"a relative path", [](auto& r) { r.executable = "sh"; }, SpawnStep::request, EINVAL},
  };
  if (::geteuid() != 0) {
    cases.push_back({"root", [](auto& r) { r.uid = 0; }, SpawnStep::uid, EPERM});
    cases.push_back({"raised priority", [](auto& r) { r.nice = -10; }, SpawnStep::nice, EACCES});
  }
  for (const Case& c : cases) {
    SpawnRequest request = shell("x", "exit 0");
    c.spoil(request);
    agent.send(request);
    if (c.step == SpawnStep::request) {
      EXPECT_THAT(agent.expect<Problem>().message, HasSubstr("exec"));
    }
    const auto failed = agent.expect<SpawnFailed>();
    EXPECT_EQ(failed.id, request.id) << c.what;
    EXPECT_EQ(to_string(failed.step), to_string(c.step)) << c.what;
    EXPECT_EQ(failed.error, c.error) << c.what;
  }
  EXPECT_THAT(agent.list(), SizeIs(1)) << "what failed is not held";
  agent.spawn(shell("x", "exit 0"));
}

TEST_F(KeeperTest, NothingIsLostWhileNoAgentIsThere) {
  start();
  const Gate gate(folder_ / "gate");
  pid_t pid = 0;
  {
    KeeperWire first = attach();
    pid = first.spawn(shell("worker", "echo one; " + gate.wait() + "echo two; exit 7")).pid;
  }
  {
    KeeperWire second = attach();
    ASSERT_THAT(second.children(), SizeIs(1));
    ToldChild& child = second.children().front();
    EXPECT_EQ(child.pid, pid);
    EXPECT_EQ(child.state, ChildState::running);
    EXPECT_EQ(read_pipe(child.handle(Handle::out), 4), "one\n");
  }
  gate.open();
  eventually("the end of the worker", [&] { return !process_is_alive(pid); });
  for (int time = 0; time < 2; ++time) {  // told until it is forgotten
    KeeperWire later = attach();
    ASSERT_THAT(later.children(), SizeIs(1));
    ToldChild& child = later.children().front();
    ASSERT_EQ(child.state, ChildState::exited);
    EXPECT_EQ(child.exit->kind, ExitKind::exited);
    EXPECT_EQ(child.exit->status, 7);
    EXPECT_EQ(read_pipe(child.handle(Handle::out)), time == 0 ? "two\n" : "");
  }
  EXPECT_TRUE(process_is_there(pid)) << "its number is kept from others";
  KeeperWire last = attach();
  last.send(Forget{"worker"});
  EXPECT_THAT(last.list(), IsEmpty());
  EXPECT_FALSE(process_is_there(pid));
  last.spawn(shell("worker", idle));
  last.send(Forget{"worker"});
  EXPECT_THAT(last.expect<Problem>().message, HasSubstr("worker runs"));
}

TEST_F(KeeperTest, AnAgentThatIsKilledLosesNoChild) {
  start();
  KeeperWire(socket()).hello();  // it listens
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t agent = ::fork();
  if (agent == 0) {
    KeeperWire wire = attach();
    const ToldChild child = wire.spawn(shell("worker", "echo alive; " + std::string(idle)));
    [[maybe_unused]] const auto written = ::write(ready[1], &child.pid, sizeof(child.pid));
    for (;;)
      ::pause();
  }
  std::int32_t pid = 0;
  EXPECT_EQ(::read(ready[0], &pid, sizeof(pid)), static_cast<ssize_t>(sizeof(pid)));
  ::kill(agent, SIGKILL);
  ::waitpid(agent, nullptr, 0);
  KeeperWire next = attach();
  ASSERT_THAT(next.children(), SizeIs(1));
  EXPECT_EQ(next.children().front().pid, pid);
  EXPECT_EQ(read_pipe(next.children().front().handle(Handle::out), 6), "alive\n");
  next.send(SignalRequest{"worker", SIGTERM, SignalScope::main});
  const auto exited = next.expect<Exited>();
  EXPECT_EQ(exited.exit.kind, ExitKind::killed);
  EXPECT_EQ(exited.exit.status, SIGTERM);
}

TEST_F(KeeperTest, TheNewestAgentCounts) {
  start();
  KeeperWire old = attach();
  KeeperWire young = attach();
  EXPECT_TRUE(old.is_closed());
  EXPECT_THAT(young.list(), IsEmpty());
}

TEST_F(KeeperTest, WhatIsWrongIsToldAndChangesNothing) {
  start();
  KeeperWire agent = attach();
  agent.send_raw("forget\0id"sv);
  EXPECT_THAT(agent.expect<Problem>().message, HasSubstr("key=value"));
  agent.send_raw(std::string(max_packet_bytes + 1000, 'x'));
  EXPECT_THAT(agent.expect<Problem>().message, HasSubstr("64 KiB"));
  agent.send_raw("dance\0id=x"sv);
  EXPECT_EQ(agent.expect<Unsupported>().verb, "dance");
  agent.send(SignalRequest{"nobody", SIGTERM, SignalScope::main});
  EXPECT_EQ(agent.expect<SignalFailed>().error, ESRCH);
  agent.spawn(shell("worker", idle));
  agent.send(SignalRequest{"worker", 200, SignalScope::main});
  EXPECT_EQ(agent.expect<SignalFailed>().error, EINVAL);
  agent.send(Forget{"nobody"});
  EXPECT_THAT(agent.list(), SizeIs(1));

  KeeperWire rude(socket());
  rude.send(List{});
  EXPECT_TRUE(rude.is_closed());
  EXPECT_THAT(attach().children(), SizeIs(1));
}

TEST_F(KeeperTest, AnAgentThatDoesNotReadHoldsNothingUp) {
  start();
  KeeperWire agent = attach();
  for (int round = 0; round < 20'000; ++round) {
    const std::string packet = *encode(Request(SignalRequest{"nobody", 9, SignalScope::main}));
    // Neither end waits for the other: the keeper does not read on while its answers wait.
    if (!agent.try_send_raw(packet)) break;
  }
  EXPECT_THAT(attach().children(), IsEmpty());
}

TEST_F(KeeperTest, ReapsGrandchildrenThatLostTheirParents) {
  Process& keeper = start();
  KeeperWire agent = attach();
  ToldChild child =
      agent.spawn(shell("forking", "(setsid sh -c 'echo $$; exec tail -f /dev/null' &); exit 0"));
  EXPECT_EQ(agent.expect<Exited>().exit.status, 0);
  const pid_t grandchild = std::stoi(read_line(child.handle(Handle::out)));
  eventually("adoption", [&] { return parent_of(grandchild) == keeper.pid(); });
  ::kill(grandchild, SIGKILL);
  // The zombie of the child, which is still held, lies in front of it.
  eventually("the grandchild to be reaped", [&] { return !process_is_there(grandchild); });
}

TEST_F(KeeperTest, AGroupCanBeSignalledAfterItsLeaderHasEnded) {
  start();
  KeeperWire agent = attach();
  ToldChild child = agent.spawn(shell("leader", "tail -f /dev/null & echo $!; exit 0"));
  agent.expect<Exited>();
  const pid_t left = std::stoi(read_line(child.handle(Handle::out)));
  EXPECT_TRUE(process_is_alive(left));
  agent.send(SignalRequest{"leader", SIGTERM, SignalScope::main});
  EXPECT_EQ(agent.expect<SignalFailed>().error, ESRCH);
  agent.send(SignalRequest{"leader", SIGKILL, SignalScope::group});
  eventually("the end of the group", [&] { return !process_is_alive(left); });
}

// --- notify sockets

struct Notification {
  std::string text;
  pid_t sender = 0;
};

Notification receive_notification(const FileDescriptor& socket) {
  char text[256];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  iovec into{text, sizeof(text)};
  msghdr message{};
  message.msg_iov = &into;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t got = -1;
  eventually("a notification", [&] { return (got = ::recvmsg(socket.number(), &message, 0)) >= 0; });
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  ucred sender{};
  if (header != nullptr && header->cmsg_type == SCM_CREDENTIALS) {
    std::memcpy(&sender, CMSG_DATA(header), sizeof(sender));
  }
  return {std::string(text, static_cast<std::size_t>(got)), sender.pid};
}

void notify(const std::string& name, std::string_view text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), std::min(name.size(), sizeof(address.sun_path) - 1));
  if (name.front() == '@') address.sun_path[0] = '\0';
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  ASSERT_EQ(
      ::sendto(socket.number(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&address), size),
      static_cast<ssize_t>(text.size()))
      << std::strerror(errno);
}

TEST_F(KeeperTest, HoldsTheNotifySocketOfAChild) {
  start();
  struct Case {
    std::string id, name_begins_with;
  };
  // A child of root's may become a user to whom the folder is closed. The second does not fit into the path
  // of a socket.
  const std::string abstract = "@starling-notify-";
  const std::vector<Case> cases = {{"ready", ::geteuid() == 0 ? abstract : state().string()},
                                   {std::string(96, 'r'), abstract}};
  for (const Case& c : cases) {
    std::string name;
    {
      KeeperWire first = attach();
      SpawnRequest request = shell(c.id, "echo $NOTIFY_SOCKET; " + std::string(idle));
      request.notify = true;
      ToldChild child = first.spawn(request);
      name = read_line(child.handle(Handle::out));
    }
    EXPECT_THAT(name, StartsWith(c.name_begins_with));
    notify(name, "READY=1");  // while nobody listens
    KeeperWire second = attach();
    ToldChild& child = second.children().back();
    const Notification got = receive_notification(child.handle(Handle::notify));
    EXPECT_EQ(got.text, "READY=1");
    EXPECT_EQ(got.sender, ::getpid());
    second.send(SignalRequest{c.id, SIGKILL, SignalScope::group});
    second.expect<Exited>();
    second.send(Forget{c.id});
    EXPECT_THAT(second.list(), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(name));
  }
}

TEST_F(KeeperTest, StartsAChildAsAnotherUser) {
  const bool root = ::geteuid() == 0;
  start();
  KeeperWire agent = attach();
  SpawnRequest request = shell(
      "worker",
      "id -u; id -g; grep NoNewPrivs /proc/self/status; [ $(id -u) = 0 ] || id -G; echo $NOTIFY_SOCKET");
  request.uid = root ? 65534 : ::geteuid();
  request.gid = root ? 65533 : ::getegid();
  if (root) request.groups = {7, 8};
  request.notify = true;
  ToldChild child = agent.spawn(request);
  const FileDescriptor& out = child.handle(Handle::out);
  EXPECT_EQ(read_line(out), std::to_string(*request.uid));
  EXPECT_EQ(read_line(out), std::to_string(*request.gid));
  EXPECT_EQ(read_line(out), "NoNewPrivs:\t1");
  EXPECT_THAT(read_line(out), HasSubstr(root ? "65533 7 8" : std::to_string(*request.gid)));
  EXPECT_THAT(read_line(out), StartsWith("@starling-notify-")) << "the state folder is closed to it";
}

TEST_F(KeeperTest, HoldsAsManyAsItSaysAndTellsAllOfThemToTheNext) {
  start();
  KeeperWire agent = attach();
  SpawnRequest request = shell("", "");
  request.executable = "/usr/bin/tail";
  request.arguments = {"-f", "/dev/null"};
  request.notify = true;
  for (std::size_t i = 0; i < max_children + 1; ++i) {
    request.id = "child:" + std::to_string(i);
    agent.send(request);
  }
  std::size_t spawned = 0;
  std::string_view why;
  for (std::size_t i = 0; i < max_children + 1; ++i) {
    const Report report = agent.receive().report;
    if (std::holds_alternative<Spawned>(report)) ++spawned;
    if (const auto* failed = std::get_if<SpawnFailed>(&report)) why = to_string(failed->step);
  }
  if (spawned == max_children) {
    EXPECT_EQ(why, "children");
  } else {
    EXPECT_EQ(why, "descriptors") << "of which this machine gives too few";
  }
  KeeperWire next = attach();
  EXPECT_THAT(next.children(), SizeIs(spawned));
  EXPECT_THAT(next.children(), testing::Each(testing::Field(&HeldChild::handles, SizeIs(3))));
}

TEST_F(KeeperTest, IsNotStartedTwiceInOneFolder) {
  start();
  attach();
  const Finished second = run({.program = "starling-keeper",
                               .arguments = {"--state", state().string(), "--", "/bin/true"},
                               .environment = {},
                               .output = folder_ / "second.log"});
  EXPECT_EQ(second.status, 1);
  EXPECT_THAT(second.output, HasSubstr("another keeper runs"));
  EXPECT_THAT(attach().children(), IsEmpty());
}

TEST_F(KeeperTest, SparesDescriptorsForItself) {
  const std::string command = std::string("ulimit -n 64; exec ") + programs_folder().string() +
                              "/starling-keeper --state " + state().string() +
                              " -- /usr/bin/tail -f /dev/null";
  start_process("/bin/sh", {"-c", command});
  KeeperWire agent = attach();
  for (int i = 0; i < 6; ++i)
    agent.spawn(shell("child-" + std::to_string(i), idle));
  const SpawnFailed failed = agent.spawn_in_vain(shell("one-more", idle));
  EXPECT_EQ(to_string(failed.step), "descriptors");
  EXPECT_EQ(failed.error, EMFILE);
  EXPECT_THAT(attach().children(), SizeIs(6));
}

// --- kernels and sandboxes with less

class KeeperWithLess : public KeeperTest, public testing::WithParamInterface<std::vector<const char*>> {
 protected:
  std::vector<std::string> options() const {
    std::vector<std::string> options;
    for (const char* feature : GetParam())
      options.insert(options.end(), {"--without", feature});
    return options;
  }
};

TEST_P(KeeperWithLess, StillHoldsChildren) {
  start(idle, options());
  KeeperWire agent = attach();
  ToldChild child = agent.spawn(shell("worker", "echo here; " + std::string(idle)));
  EXPECT_EQ(read_pipe(child.handle(Handle::out), 5), "here\n");
  EXPECT_EQ(agent.spawn_in_vain(shell("worker", idle)).error, EEXIST);
  agent.send(SignalRequest{"worker", SIGTERM, SignalScope::main});
  EXPECT_EQ(agent.expect<Exited>().exit.status, SIGTERM);
  SpawnRequest missing = shell("missing", idle);
  missing.executable = "/no/such/program";
  EXPECT_EQ(to_string(agent.spawn_in_vain(missing).step), "exec");
}

// A folder of cgroup v2 that a test may make. Where there is none, it is a folder that is no cgroup.
class CgroupFolder {
 public:
  explicit CgroupFolder(const std::filesystem::path& otherwise) : path_(otherwise) {
    std::ifstream mounts("/proc/mounts");
    std::string device, where, kind, rest;
    while (mounts >> device >> where >> kind && std::getline(mounts, rest)) {
      const std::string folder = where + "/starling-test-" + std::to_string(::getpid());
      if (kind != "cgroup2" || ::mkdir(folder.c_str(), 0755) != 0) continue;
      path_ = folder;
      exists_ = true;
    }
  }
  ~CgroupFolder() {
    if (exists_) ::rmdir(path_.c_str());
  }
  CgroupFolder(const CgroupFolder&) = delete;
  CgroupFolder& operator=(const CgroupFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }
  bool exists() const { return exists_; }

 private:
  std::filesystem::path path_;
  bool exists_ = false;
};

TEST_P(KeeperWithLess, StartsAChildInItsCgroupOrSaysThatItCannot) {
  const CgroupFolder cgroup(folder_.path());
  start(idle, options());
  KeeperWire agent = attach();
  SpawnRequest request = shell("worker", "cat /proc/self/cgroup; exec cat");
  request.cgroup = cgroup.path();
  if (cgroup.exists()) {
    ToldChild child = agent.spawn(request);
    EXPECT_TRUE(child.in_cgroup);
    EXPECT_THAT(read_pipe(child.handle(Handle::out)),
                HasSubstr("/" + cgroup.path().filename().string() + "\n"));
    EXPECT_EQ(agent.expect<Exited>().exit.status, 0);
    agent.send(Forget{"worker"});
    EXPECT_THAT(agent.list(), IsEmpty()) << "nobody is left in the cgroup";
  } else {
    EXPECT_EQ(to_string(agent.spawn_in_vain(request).step), "cgroup");
  }
}

INSTANTIATE_TEST_SUITE_P(Fallbacks, KeeperWithLess,
                         testing::Values(std::vector<const char*>{}, std::vector{"clone3"},
                                         std::vector{"pidfd"}, std::vector{"clone-into-cgroup"},
                                         std::vector{"clone3", "pidfd"}));

}  // namespace
}  // namespace starling::e2e
