// The example modules as real processes on the agent's socket: they re-initialise when their settings change,
// and a model that they do not have leaves everything as it was.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <fstream>

#include "agent/device_core.hpp"
#include "agent/modules/module_server.hpp"
#include "agent/settings_bench.hpp"
#include "base/build_folders.hpp"
#include "base/json_folder.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// A process whose standard output is read as it comes. Ended by its id.
class Process {
 public:
  explicit Process(std::vector<std::string> command) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    output_ = ends[0];
    ::fcntl(output_, F_SETFL, O_NONBLOCK);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<char*> arguments;
    for (std::string& word : command)
      arguments.push_back(word.data());
    arguments.push_back(nullptr);
    EXPECT_EQ(::posix_spawnp(&id_, arguments[0], &actions, nullptr, arguments.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
  }
  ~Process() {
    ::kill(id_, SIGTERM);
    ::waitpid(id_, nullptr, 0);
    ::close(output_);
  }
  const std::string& said() {
    char chunk[1024];
    ssize_t count = 0;
    while ((count = ::read(output_, chunk, sizeof(chunk))) > 0) {
      text_.append(chunk, static_cast<std::size_t>(count));
    }
    return text_;
  }

 private:
  pid_t id_ = -1;
  int output_ = -1;
  std::string text_;
};

class NoHub final : public LinkOutput {
 public:
  void enrol() override {}
  void connect(std::string_view) override {}
  void send(std::string_view) override {}
  void close(std::string_view) override {}
};

class NoWakeup final : public Wakeup {
 public:
  void deadlines_changed() override {}
};

struct ExampleModules : testing::TestWithParam<const char*> {
  void SetUp() override {
    fs::create_directories(folder / "models");
    std::ofstream(folder / "models/Hey_Tars.tflite") << "model";
    const auto files = read_json_folders({source_folder() / "components"});
    ASSERT_TRUE(files) << files.error().message;
    auto read = protocol::catalog_of(*files);
    ASSERT_TRUE(read) << read.error().message;
    catalog = std::move(*read);
    auto loaded = DeviceCore::load(disk, clock, catalog, maker, hub, server, {}, nullptr);
    ASSERT_TRUE(loaded) << loaded.error().message;
    core = std::move(*loaded);
    const auto started = server.start(folder / "agent.sock", core->modules());
    ASSERT_TRUE(started) << started.error().message;
  }
  void TearDown() override {
    bool done = false;
    asio::co_spawn(context, server.stop(), [&done](const std::exception_ptr&) { done = true; });
    until([&done] { return done; });
  }
  void until(const std::function<bool()>& condition) {
    const SteadyTime deadline = clock.steady() + Seconds(60);
    while (!condition() && clock.steady() < deadline) {
      context.restart();
      context.run_one_for(Milliseconds(20));
    }
    ASSERT_TRUE(condition());
  }
  std::vector<std::string> command() const {
    const std::string models = (folder / "models").string(), socket = (folder / "agent.sock").string();
    if (std::string_view(GetParam()) == "cpp") {
      return {(programs_folder() / "hotword-module").string(), models, socket};
    }
    return {"python3", (source_folder() / "examples/modules/hotword_py/hotword.py").string(), models, socket};
  }
  void offer(std::int64_t revision, std::map<std::string, Json> values) const {
    core->settings().offer(make_update(catalog, revision, std::move(values)));
  }
  Json models() const { return core->settings().values().at("hotword.models"); }

  asio::io_context context{1};
  SystemClock clock;
  FakeDisk disk;
  RandomIdentityMaker maker{clock};
  NoHub hub;
  NoWakeup wakeup;
  ModuleServer server{context.get_executor(), wakeup, Logger()};
  protocol::Catalog catalog;
  const TemporaryFolder made;
  const fs::path folder = made.path();
  std::unique_ptr<DeviceCore> core;
};

TEST_P(ExampleModules, ReinitialiseAndRefuseAMissingModel) {
  Process module(command());
  until([&] { return module.said().find("models []") != std::string::npos; });
  offer(2, {{"hotword.models", {"Hey_Tars.tflite"}}, {"hotword.threshold", 0.75}});
  until([&] { return module.said().find("Hey_Tars.tflite") != std::string::npos; });
  until([&] { return core->settings().state() == SettingsCore::State::provisional; });
  EXPECT_EQ(models(), Json({"Hey_Tars.tflite"}));

  offer(3, {{"hotword.models", {"Missing.tflite"}}});
  until([&] { return bool(core->settings().sections().at(0).refused); });
  EXPECT_EQ(models(), Json({"Hey_Tars.tflite"}));
  EXPECT_THAT(disk.content("config_override.json").value_or(""), HasSubstr("Hey_Tars.tflite"));

  offer(4, {{"hotword.models", {"Hey_Tars.tflite"}}, {"hotword.threshold", 0.25}});
  until([&] { return module.said().find("0.25") != std::string::npos; });
  EXPECT_EQ(module.said().find("Missing"), std::string::npos);
}

TEST_P(ExampleModules, HearNothingOfOtherSettings) {
  Process module(command());
  until([&] { return module.said().find("models []") != std::string::npos; });
  const std::string before = module.said();
  offer(2, {{"logger.level", "DEBUG"}});
  EXPECT_EQ(core->settings().state(), SettingsCore::State::provisional);  // nobody had to be asked
  offer(3, {{"logger.level", "DEBUG"}, {"hotword.cooldown", 5}});
  until([&] { return module.said().size() > before.size(); });
}

TEST_P(ExampleModules, AnswerAnActionThatTheyDoNotHave) {
  Process module(command());
  until([&] { return module.said().find("models []") != std::string::npos; });
  std::string answer;
  core->modules().act("hotword", "dance", {},
                      [&answer](const Result<JsonObject>& result) { answer = result.error().message; });
  until([&] { return !answer.empty(); });
  EXPECT_EQ(answer, "there is no action 'dance'; this module has none");
}

INSTANTIATE_TEST_SUITE_P(Each, ExampleModules, testing::Values("cpp", "py"));

}  // namespace
}  // namespace starling::agent
