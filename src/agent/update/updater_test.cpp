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
#include "release/make_delta.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using protocol::tuf::test::TestRepository;
using testing::Each;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class FileServer final : public http::Handler {
 public:
  boost::asio::awaitable<http::Response> serve(const http::Request& request) override {
    asked.push_back(request.target);
    if (heard) heard(request.target);
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
  std::function<void(const std::string& target)> heard;  // before it is answered
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

  void publish(const std::string& architecture, const std::string& tar,
               const std::string& schedule = R"({"version":"v1.0.0","type":"scheduled","now":true})") {
    const std::string path = "releases/v1.0.0/" + architecture + ".tar";
    JsonObject target = protocol::tuf::test::target_json(tar);
    target["custom"] = JsonObject{{"version", "v1.0.0"}, {"type", "urgent"}};
    repository.targets["targets"].as_object()[path] = target;
    hub.files["/tuf/targets/releases/v1.0.0/" + sha256(tar).hex() + "." + architecture + ".tar"] = tar;
    sign_schedule(schedule);
  }
  void sign_schedule(const std::string& schedule) {
    JsonObject& targets = repository.targets["targets"].as_object();
    targets.erase("schedules/v1.0.0.json");
    if (!schedule.empty()) targets["schedules/v1.0.0.json"] = protocol::tuf::test::target_json(schedule);
    hub.files["/tuf/targets/schedules/" + sha256(schedule).hex() + ".v1.0.0.json"] = schedule;
    ++version;
    repository.targets["version"] = repository.snapshot["version"] = repository.timestamp["version"] =
        version;
    repository.listed("targets.json")["version"] = version;
    repository.promised()["version"] = version;
    hub.files["/tuf/metadata/timestamp.json"] = repository.timestamp_file();
    hub.files[fmt::format("/tuf/metadata/{}.snapshot.json", version)] = repository.snapshot_file();
    hub.files[fmt::format("/tuf/metadata/{}.targets.json", version)] = repository.targets_file();
  }
  void start(const fs::path& root) {
    UpdaterOptions options;
    options.hub.host = "127.0.0.1";
    options.hub.port = server->port();
    options.root = root;
    options.architecture = "arm64";
    options.built = protocol::tuf::test::today;
    options.restart = [this] { ++restarts; };
    options.modules = [] { return std::vector<ModuleStatus>(); };
    updater = std::make_unique<Updater>(context.get_executor(), bench.disk, bench.clock, wakeup,
                                        std::move(options), Logger());
    core = std::make_unique<UpdateCore>(bench.disk, bench.clock, *bench.core, bench.recorder, *updater,
                                        *updater, SeededRandom(1), UpdateOptions{}, Logger());
    updater->attach(*core, "device-1");
    core->hub_said("", now);
    ASSERT_TRUE(core->start());
    protocol::ConfigUpdate update;
    update.section = protocol::Section::software;
    update.revision = 2;
    update.payload = JsonObject{{"release", "v1.0.0"}};
    update.hash = protocol::hash_of(update.payload);
    core->offer(update);
  }
  void want_nothing() const {
    protocol::ConfigUpdate nothing;
    nothing.section = protocol::Section::software;
    nothing.revision = 3;
    nothing.payload = JsonObject{};
    nothing.hash = protocol::hash_of(nothing.payload);
    core->offer(nothing);
  }
  // It is known what is signed, and that the device's turn to fetch it has not come.
  void until_known() {
    const SteadyTime deadline = real_clock.steady() + Seconds(30);
    while (!bench.disk.content(std::string(UpdateTiming::path)) && real_clock.steady() < deadline)
      context.run_one_for(Milliseconds(10));
    EXPECT_EQ(core->state_word(), "pending") << "a fleet does not come all at once";
    bench.clock.advance(UpdateTiming::fetch_spread);
    core->hub_said("", now);
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
  std::unique_ptr<Updater> updater;
  std::unique_ptr<UpdateCore> core;
  int restarts = 0;
  int version = 0;  // of all metadata but the root
  WallTime now = protocol::tuf::test::today + std::chrono::hours(20);
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
  bench.pass(UpdateOptions{}.trial_limit);  // no other start has come about
  core->tick();
  EXPECT_EQ(core->state_word(), "confirmed");
  EXPECT_FALSE(bench.core->release_on_trial());
}

TEST_F(UpdaterTest, AReleaseComesPackedOnceTheHubHasMadeIt) {
  const std::string tar = tar_of(release_parts("v1.0.0", {{"payload/note", std::string(200'000, 'n')}}));
  publish("arm64", tar);
  release::MemoryBytes nothing("");
  release::MemoryBytes whole(tar);
  const std::string packed = release::make_delta(nothing, whole).value();
  const std::string offers = "/tuf/encodings/" + sha256(tar).hex();
  hub.files[offers] = R"({"encodings":[],"making":true})";
  start(folder / "root.json");
  const SteadyTime deadline = real_clock.steady() + Seconds(30);
  while (std::ranges::count(hub.asked, offers) < 2 && real_clock.steady() < deadline)
    context.run_one_for(Milliseconds(10));
  const protocol::EncodingOffer offer{protocol::Encoding::packed, packed.size(), sha256(packed)};
  hub.files[offers] = boost::json::serialize(protocol::to_json(protocol::EncodingOffers{{offer}, false}));
  hub.files[offers + "/files/" + sha256(packed).hex()] = packed;
  until(UpdateCore::State::provisional);
  EXPECT_EQ(bench.core->release()->hash, sha256(tar));
  EXPECT_THAT(hub.asked, Each(Not(EndsWith(".tar"))));
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
  ASSERT_EQ(core->state(), UpdateCore::State::refused);
  EXPECT_THAT(core->record().failure->message, HasSubstr("--release-root"));
  EXPECT_TRUE(hub.asked.empty());
}

TEST_F(UpdaterTest, ARootThatCannotBeReadIsSaidAndMayCome) {
  publish("arm64", tar_of(release_parts("v1.0.0")));
  start(folder / "gone.json");
  until(UpdateCore::State::paused);
  EXPECT_THAT(core->record().failure->message, HasSubstr("--release-root"));
  std::ofstream(folder / "gone.json") << repository.root_file();
  core->check_now();
  until(UpdateCore::State::provisional);
}

TEST_F(UpdaterTest, SaysWhatIsMissing) {
  publish("armhf", tar_of(release_parts("v1.0.0")));
  start(folder / "root.json");
  until(UpdateCore::State::paused);
  EXPECT_EQ(core->record().failure->fingerprint, "release-not-found:not_found");
  publish("arm64", tar_of(release_parts("v1.0.0")));
  hub.files.erase("/tuf/metadata/timestamp.json");
  core->check_now();
  until(UpdateCore::State::paused);
  hub.files["/tuf/metadata/timestamp.json"] = "{";
  core->check_now();
  until(UpdateCore::State::paused);
  EXPECT_EQ(core->record().failure->fingerprint, "release-not-found:invalid_argument");
}

TEST_F(UpdaterTest, WhatIsNotWantedAnyMoreIsNotHeardOf) {
  publish("arm64", tar_of(release_parts("v1.0.0")));
  start(folder / "root.json");
  want_nothing();
  for (int i = 0; i < 20; ++i)
    context.run_one_for(Milliseconds(10));
  EXPECT_EQ(core->state(), UpdateCore::State::idle);
  EXPECT_EQ(restarts, 0);
}

TEST_F(UpdaterTest, WhatIsGivenUpWhileItsFormsAreAskedForIsNotDownloaded) {
  const std::string tar = tar_of(release_parts("v1.0.0"));
  publish("arm64", tar);
  const std::string offers = "/tuf/encodings/" + sha256(tar).hex();
  hub.files[offers] = R"({"encodings":[]})";
  hub.heard = [&](const std::string& target) {
    if (target == offers) want_nothing();
  };
  start(folder / "root.json");
  const SteadyTime deadline = real_clock.steady() + Seconds(30);
  while (std::ranges::count(hub.asked, offers) == 0 && real_clock.steady() < deadline)
    context.run_one_for(Milliseconds(10));
  for (int i = 0; i < 20; ++i)
    context.run_one_for(Milliseconds(10));
  EXPECT_EQ(core->state(), UpdateCore::State::idle);
  EXPECT_THAT(hub.asked, Each(Not(EndsWith(".tar"))));
}

TEST_F(UpdaterTest, AReleaseWaitsForItsHourWhichMayBecomeAnotherOne) {
  publish("arm64", tar_of(release_parts("v1.0.0")),
          R"({"version":"v1.0.0","type":"scheduled","at":"02:00"})");
  start(folder / "root.json");
  until_known();
  until(UpdateCore::State::waiting);
  EXPECT_THAT(std::string(core->report().at("waits_for").as_string()), HasSubstr("its window"));
  EXPECT_GT(core->report().at("switches_at_ms").as_int64(), now.time_since_epoch().count());
  EXPECT_FALSE(bench.core->release());
  EXPECT_EQ(restarts, 0);

  sign_schedule(R"({"version":"v1.0.0","type":"scheduled","now":true})");
  bench.clock.advance(std::chrono::minutes(10));
  until(UpdateCore::State::provisional);
}

TEST_F(UpdaterTest, ItsHourComesWithoutTheHub) {
  publish("arm64", tar_of(release_parts("v1.0.0")),
          R"({"version":"v1.0.0","type":"scheduled","at":"02:00"})");
  start(folder / "root.json");
  until_known();
  until(UpdateCore::State::waiting);
  hub.files.clear();
  for (int i = 0; i < 8 * 6 && core->state() == UpdateCore::State::waiting; ++i) {
    bench.clock.advance(std::chrono::minutes(10));
    core->tick();
  }
  EXPECT_EQ(core->state(), UpdateCore::State::provisional);
}

TEST_F(UpdaterTest, WithoutAScheduleTheReleaseSaysWhetherItIsUrgent) {
  publish("arm64", tar_of(release_parts("v1.0.0")), "");
  start(folder / "root.json");
  until_known();
  until(UpdateCore::State::waiting);
  EXPECT_THAT(std::string(core->report().at("waits_for").as_string()), HasSubstr("without use"));
}

TEST_F(UpdaterTest, LooksInTheRepositoryOfItsFleet) {
  publish("arm64", tar_of(release_parts("v1.0.0")));
  start(folder / "root.json");
  core->hub_said("night lab", now);
  until(UpdateCore::State::provisional);
  EXPECT_THAT(hub.asked, Each(EndsWith("?fleet=night%20lab")));
}

}  // namespace
}  // namespace starling::agent
