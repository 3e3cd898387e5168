// Releases from a hub's TUF repository over a real socket, onto a disk in memory.
#include "agent/update/updater.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "agent/settings_bench.hpp"
#include "agent/update/release_bench.hpp"
#include "base/http/server.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/tuf/test_repository.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using protocol::tuf::test::TestRepository;
using testing::HasSubstr;

class FileServer final : public http::Handler {
 public:
  boost::asio::awaitable<http::Response> serve(const http::Request& request) override {
    asked.push_back(request.path);
    const auto found = files.find(request.path);
    http::Response response;
    if (found == files.end()) {
      response.status = 404;
    } else {
      response.body = found->second;
    }
    co_return response;
  }
  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request&) override {
    return http::Response{.status = 404, .body = {}, .headers = {}};
  }
  std::map<std::string, std::string> files;
  std::vector<std::string> asked;
};

class NoWakeup final : public Wakeup {
 public:
  void deadlines_changed() override {}
};

struct UpdaterTest : testing::Test {
  UpdaterTest() : folder(fs::temp_directory_path() / ("starling-updater-" + std::to_string(::getpid()))) {
    fs::create_directories(folder);
    std::ofstream(folder / "root.json") << repository.root_file();
    auto listening = http::Server::listen(context.get_executor(), real_clock, Logger(), hub, {});
    EXPECT_TRUE(listening);
    server = std::move(*listening);
    server->start();
    EXPECT_TRUE(bench.restart());
  }
  ~UpdaterTest() override {
    if (updater) run(updater->stop_all());
    run(server->stop());
    fs::remove_all(folder);
  }

  void publish(const std::string& architecture, const std::string& tar) {
    const std::string path = "releases/v1.0.0/" + architecture + ".tar";
    JsonObject target = protocol::tuf::test::target_json(tar);
    target["custom"] = JsonObject{{"version", "v1.0.0"}, {"type", "urgent"}};
    repository.targets["targets"].as_object()[path] = target;
    hub.files["/tuf/metadata/timestamp.json"] = repository.timestamp_file();
    hub.files["/tuf/metadata/1.snapshot.json"] = repository.snapshot_file();
    hub.files["/tuf/metadata/1.targets.json"] = repository.targets_file();
    hub.files["/tuf/targets/releases/v1.0.0/" + sha256(tar).hex() + "." + architecture + ".tar"] = tar;
  }
  void start(const fs::path& root) {
    UpdaterOptions options;
    options.hub.host = "127.0.0.1";
    options.hub.port = server->port();
    options.root = root;
    options.architecture = "arm64";
    options.restart = [this] { ++restarts; };
    options.modules = [] { return std::vector<ModuleStatus>(); };
    updater = std::make_unique<Updater>(context.get_executor(), bench.disk, bench.clock, wakeup,
                                        std::move(options), Logger());
    core = std::make_unique<UpdateCore>(bench.disk, bench.clock, *bench.core, bench.recorder, *updater,
                                        timing, SeededRandom(1), UpdateOptions{}, Logger());
    updater->attach(*core);
    ASSERT_TRUE(core->start());
    protocol::ConfigUpdate update;
    update.section = protocol::Section::software;
    update.revision = 2;
    update.payload = JsonObject{{"release", "v1.0.0"}};
    update.hash = protocol::hash_of(update.payload);
    core->offer(update);
  }
  void until(UpdateCore::State state) {
    const SteadyTime deadline = real_clock.steady() + Seconds(30);
    while (core->state() != state && real_clock.steady() < deadline) {
      context.run_one_for(Milliseconds(10));
      core->tick();
    }
    ASSERT_EQ(core->state(), state) << (core->record().failure ? core->record().failure->message : "");
  }
  void run(boost::asio::awaitable<void> task) {
    bool done = false;
    boost::asio::co_spawn(context, std::move(task), [&done](const std::exception_ptr&) { done = true; });
    while (!done)
      context.run_one_for(Milliseconds(10));
  }

  boost::asio::io_context context{1};
  SystemClock real_clock;
  fs::path folder;
  TestRepository repository;
  FileServer hub;
  std::unique_ptr<http::Server> server;
  SettingsBench bench;
  NoWakeup wakeup;
  AtOnce timing;
  std::unique_ptr<Updater> updater;
  std::unique_ptr<UpdateCore> core;
  int restarts = 0;
};

TEST_F(UpdaterTest, BringsAReleaseFromTheHub) {
  const std::string tar = tar_of(release_parts("v1.0.0", {{"payload/note", std::string(200'000, 'n')}}));
  publish("arm64", tar);
  start(folder / "root.json");
  until(UpdateCore::State::provisional);
  EXPECT_EQ(restarts, 1);
  ASSERT_TRUE(bench.core->release());
  EXPECT_EQ(bench.core->release()->hash, sha256(tar));
  EXPECT_EQ(core->record().target->custom.at("type"), Json("urgent"));
  EXPECT_EQ(bench.disk.content(release_path(sha256(tar)) + "/payload/note"), std::string(200'000, 'n'));
  core->hub_session();
  bench.pass(Seconds(60));
  core->tick();
  EXPECT_EQ(core->state_word(), "confirmed");
  EXPECT_FALSE(bench.core->release_on_trial());
}

TEST_F(UpdaterTest, TakesTheOneForAllMachinesWhereItsOwnHasNone) {
  auto parts = release_parts("v1.0.0");
  parts[0].content = R"({"version":"v1.0.0","architecture":"all"})";
  publish("all", tar_of(parts));
  start(folder / "root.json");
  until(UpdateCore::State::provisional);
}

TEST_F(UpdaterTest, WithoutARootNothingIsTrusted) {
  publish("arm64", tar_of(release_parts("v1.0.0")));
  start({});
  until(UpdateCore::State::paused);
  EXPECT_THAT(core->record().failure->message, HasSubstr("--release-root"));
  EXPECT_TRUE(hub.asked.empty());
}

TEST_F(UpdaterTest, SaysWhatIsMissing) {
  publish("armhf", tar_of(release_parts("v1.0.0")));
  start(folder / "root.json");
  until(UpdateCore::State::paused);
  EXPECT_EQ(core->record().failure->fingerprint, "release-not-found:not_found");
  publish("arm64", tar_of(release_parts("v1.0.0")));
  hub.files.erase("/tuf/metadata/timestamp.json");
  core->retry();
  until(UpdateCore::State::paused);
  hub.files["/tuf/metadata/timestamp.json"] = "{";
  core->retry();
  until(UpdateCore::State::paused);
  EXPECT_EQ(core->record().failure->fingerprint, "release-not-found:invalid_argument");
}

TEST_F(UpdaterTest, WhatIsNotWantedAnyMoreIsNotHeardOf) {
  publish("arm64", tar_of(release_parts("v1.0.0")));
  start(folder / "root.json");
  protocol::ConfigUpdate nothing;
  nothing.section = protocol::Section::software;
  nothing.revision = 3;
  nothing.payload = JsonObject{};
  nothing.hash = protocol::hash_of(nothing.payload);
  core->offer(nothing);
  for (int i = 0; i < 20; ++i)
    context.run_one_for(Milliseconds(10));
  EXPECT_EQ(core->state(), UpdateCore::State::idle);
  EXPECT_EQ(restarts, 0);
}

}  // namespace
}  // namespace starling::agent
