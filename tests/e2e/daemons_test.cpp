// Daemons as Debian installs them are modules, unchanged: ready, killed, ready again, stopped, and nothing is
// left of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>

#include "base/build_folders.hpp"
#include "base/file_descriptor.hpp"
#include "e2e/supervised_device.hpp"
#include "e2e/wire.hpp"

namespace starling::e2e {
namespace {

using testing::IsEmpty;

struct Daemon {
  const char* name;
  const char* socket;  // where it serves, in its folder; nullptr: at its port
};

void PrintTo(const Daemon& daemon, std::ostream* out) {
  *out << daemon.name;
}

bool connects(const std::filesystem::path& path) {
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
  return ::connect(socket.number(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

class RealDaemon : public testing::TestWithParam<Daemon> {
 protected:
  RealDaemon() {
    folder = device.install(source_folder() / "tests/modules/daemons" / name, name,
                            {{"@FOLDER@", folder.string()},
                             {"@PORT@", std::to_string(port)},
                             {"@USER@", root ? "user = \"postgres\"" : ""}});
    std::filesystem::create_directory(folder / "music");
    if (name == "postgres") make_database();
    device.start();
  }

  void make_database() {
    Process::Options initdb{.program = "/usr/lib/postgresql/15/bin/initdb",
                            .arguments = {"-D", (folder / "data").string(), "--no-sync", "-A", "trust"},
                            .environment = {},
                            .output = folder / "initdb.log"};
    if (root) {
      run_well({.program = "/bin/chown",
                .arguments = {"-R", "postgres", folder.string()},
                .environment = {},
                .output = folder / "chown.log"});
      initdb.arguments.insert(initdb.arguments.begin(), initdb.program.string());
      for (const char* word : {"--init-groups", "--regid=postgres", "--reuid=postgres"})
        initdb.arguments.insert(initdb.arguments.begin(), word);
      initdb.program = "/usr/bin/setpriv";
    }
    run_well(initdb);
  }
  static void run_well(const Process::Options& options) {
    const Finished done = run(options);
    if (done.status != 0) throw std::runtime_error(options.program.string() + ": " + done.output);
  }

  bool serves() const {
    if (GetParam().socket != nullptr) return connects(folder / GetParam().socket);
    if (name == "nginx") return http(port, {.path = "/"}).status == 200;
    Socket client(port);
    client.send(std::string_view("\x10\x0d\0\4MQTT\4\2\0\x3c\0\1t", 15));   // CONNECT as "t"
    return client.receive_exactly(4) == std::string_view("\x20\2\0\0", 4);  // CONNACK: accepted
  }

  const std::string name = GetParam().name;
  const bool root = ::geteuid() == 0;
  const std::uint16_t port = free_port();
  SupervisedDevice device;
  std::filesystem::path folder = device.modules() / name;
};

TEST_P(RealDaemon, IsAModule) {
  device.command("enable", name);
  const pid_t first = device.await_ready(name);
  EXPECT_TRUE(serves()) << "ready means that it serves";

  ::kill(first, SIGKILL);
  const pid_t second = device.await_ready(name, first);
  EXPECT_TRUE(serves());
  EXPECT_EQ(device.show(name).at("last_death").at("class"), Json("signal")) << device.log();

  device.command("restart", name);
  const pid_t third = device.await_ready(name, second);
  EXPECT_TRUE(serves());

  const std::vector<pid_t> family = device.module_processes();
  EXPECT_THAT(family, testing::Contains(third));
  device.command("stop", name);
  EXPECT_EQ(device.state_of(name), "disabled");
  EXPECT_THAT(device.module_processes(), IsEmpty());
  EXPECT_EQ(device.show(name).at("enabled"), Json(true)) << "a stop is not for ever";
}

INSTANTIATE_TEST_SUITE_P(Each, RealDaemon,
                         testing::Values(Daemon{"mosquitto", nullptr}, Daemon{"redis", "redis.sock"},
                                         Daemon{"postgres", ".s.PGSQL.5432"}, Daemon{"nginx", nullptr},
                                         Daemon{"mpd", "mpd.sock"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace starling::e2e
