// Releases as operators see and schedule them, on a hub with a disk.
#include "hub/api/releases.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <future>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "hub/api/linked_device.hpp"
#include "hub/releases/operators_fixture.hpp"
#include "hub/releases/release_log.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/software_document.hpp"
#include "release/bytes.hpp"
#include "release/pack.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;
using http::Method;

class ReleasesApi : public ApiTest {
 protected:
  ReleasesApi() {
    clock.advance(today - clock.wall());
    repositories.emplace(folder / "hub", true, executor, clock, Logger());
    EXPECT_TRUE(repositories->open({"default"}));
    keep_releases();
    on_the_worker([this](Repository& repository) {
      return repository.publish({operators_.root_file(*repository.view())}, std::nullopt, today);
    });
  }

  ~ReleasesApi() override { guard_.reset(); }

  void keep_releases() {
    api->stop();
    api = std::make_unique<Api>(context->get_executor(), *hub, executor, clock, Logger(), Api::Options{},
                                &*repositories);
    api->set_ready(true);
  }
  // What other threads do is waited for.
  void run_until(const std::function<bool()>& done) const {
    context->restart();
    while (!done())
      context->run_one();
  }
  void on_the_worker(Repositories::Work work) {
    bool done = false;
    repositories->perform("default", std::move(work), [&](const Result<void>& outcome) {
      EXPECT_TRUE(outcome) << outcome.error().message;
      done = true;
    });
    run_until([&] { return done; });
  }
  // A release of one file, for `architecture`.
  void publish(const std::string& version,
               protocol::Architecture architecture = protocol::Architecture::all) {
    const fs::path payload = folder / "payload";
    fs::create_directories(payload);
    EXPECT_TRUE(write_file_durably(payload / "client.py", "print('" + version + "')\n"));
    protocol::ReleaseMetadata metadata{protocol::parse_version(version).value(),
                                       architecture,
                                       protocol::UpdateType::scheduled,
                                       "What is new",
                                       {"libopus0"}};
    auto image = release::ReleaseImage::of_payload(payload, metadata).value();
    const fs::path file = folder / "release.tar";
    const auto summary = release::write_tar(image, file).value();
    ReleaseTar tar{summary.bytes, summary.sha256.hex(), to_json(metadata)};
    const auto keep = [&](const fs::path& as) {
      fs::copy_file(file, as);
      return Result<void>();
    };
    on_the_worker([&](Repository& repository) {
      return repository.add(version, std::string(to_string(architecture)), tar, keep, today);
    });
    EXPECT_EQ(get("/api/v1/releases/" + version).status, 200);
    record();
  }
  // As an upload does it.
  void record() {
    bool done = false;
    hub->changes().append("default", releases_plan(repositories->view("default"), {"key:alice", "alice"}),
                          [&](const Result<SharedChange>& change) { done = change.has_value(); });
    run_until([&] { return done; });
  }
  static JsonObject row(const Answered& answered, std::size_t place = 0) {
    return answered.at("/items").as_array().at(place).as_object();
  }

  TemporaryFolder folder;
  std::optional<Repositories> repositories;
  Operators operators_;

 private:
  asio::executor_work_guard<asio::io_context::executor_type> guard_ = asio::make_work_guard(*context);
};

TEST_F(ReleasesApi, TellWhoRunsAndWhoShallRunWhich) {
  publish("v1.0.0");
  publish("v1.1.0");
  for (int i = 1; i <= 3; ++i)
    enrol(i, "d" + std::to_string(i), i == 3 ? R"({"room":"lab"})" : "{}");
  LinkedDevice agent(*this, uuid(1), {});
  agent.report(R"({"software":{"release":"v1.0.0","state":"confirmed"}})");
  ask(Method::post, "/api/v1/devices/" + uuid(2) + "/heartbeat", R"({"current_version":"v1.0.0"})",
      {token_of(uuid(2))});
  const auto use = [&](std::size_t place) {
    return boost::json::serialize(row(get("/api/v1/releases"), place).at("devices"));
  };
  EXPECT_EQ(use(0), R"({"running":2,"wanted":0})");
  EXPECT_EQ(
      put("/api/v1/settings", R"({"values":{"software.release":"v1.1.0"},"target":{"selector":"room=lab"}})")
          .status,
      200);
  EXPECT_EQ(use(0), R"({"running":2,"wanted":0})");
  EXPECT_EQ(use(1), R"({"running":0,"wanted":1})");

  const auto release = [&](int device) {
    return boost::json::serialize(get("/api/v1/devices/" + uuid(device)).at("/release"));
  };
  EXPECT_EQ(release(1), R"({"desired":null,"running":"v1.0.0"})");
  EXPECT_EQ(release(2), R"({"desired":null,"running":"v1.0.0"})");
  EXPECT_EQ(release(3), R"({"desired":"v1.1.0","running":null})");
  EXPECT_EQ(get("/api/v1/devices?release=v1.0.0").at("/items").as_array().size(), 2u);
  EXPECT_EQ(get("/api/v1/devices?release=v1.1.0").at("/items").as_array().size(), 0u);
  const auto explained = get("/api/v1/settings/explain?device=" + uuid(1) + "&key=software.release");
  EXPECT_EQ(explained.text("/running"), "v1.0.0") << "though no layer says anything";
  EXPECT_EQ(explained.at("/stack").as_array().size(), 0u);

  const std::string lab = make_key_of(R"({"name":"lab","role":"viewer","selector":"room=lab"})");
  EXPECT_EQ(row(get_as(lab, "/api/v1/releases")).at("devices").at("running"), Json(0)) << "outside its grant";
}

TEST_F(ReleasesApi, AScheduleIsOnRecord) {
  publish("v1.0.0");
  publish("v1.0.0-rc.1");
  const auto set = put("/api/v1/releases/v1.0.0/schedule",
                       R"({"type":"scheduled","at":"03:30","window_minutes":60,"reason":"quiet then"})");
  ASSERT_EQ(set.status, 200) << set.response.body;
  EXPECT_EQ(set.text("/schedule/at"), "03:30");
  const Answered shown = get("/api/v1/releases/v1.0.0");
  EXPECT_EQ(shown.text("/changes/0/action"), "release.schedule");
  EXPECT_EQ(shown.text("/changes/0/reason"), "quiet then");
  EXPECT_EQ(shown.text("/changes/0/schedule/at"), "03:30");
  EXPECT_EQ(shown.text("/changes/1/action"), "release.publish");
  EXPECT_EQ(shown.text("/changes/1/by"), "alice");
  EXPECT_EQ(shown.at("/changes").as_array().size(), 2u) << "the other version's are not its own";

  const auto newest = get("/api/v1/changes?kind=release&newest_first=true&limit=1");
  const JsonObject change = row(newest);
  EXPECT_EQ(change.at("reason"), Json("quiet then"));
  EXPECT_EQ(change.at("edits").at(0).at("before").at("schedule").at("at"), Json("02:00"));
  EXPECT_EQ(change.at("edits").at(0).at("after").at("schedule").at("at"), Json("03:30"));

  const auto again = get("/api/v1/fleet").at("/revision");
  EXPECT_EQ(put("/api/v1/releases/v1.0.0/schedule", R"({"type":"scheduled","at":"25:00"})").text("/pointer"),
            "/at");
  EXPECT_EQ(put("/api/v1/releases/v1.0.0/schedule", R"({"at":"02:00"})").status, 422) << "no type";
  EXPECT_EQ(put("/api/v1/releases/v9.0.0/schedule", R"({"type":"urgent"})").status, 404);
  EXPECT_EQ(get("/api/v1/fleet").at("/revision"), again);
}

TEST_F(ReleasesApi, WhoAsksForFilesTooOftenWaits) {
  const auto fetch = [this](const std::string& peer) {
    return ask(Method::get, "/tuf/metadata/timestamp.json", "", {"", {}, peer});
  };
  for (int i = 0; i < 5'000; ++i)
    ASSERT_EQ(fetch("192.0.2.7").status, 200);
  const Answered refused = fetch("192.0.2.7");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.response.headers.find("Retry-After"), "1");
  EXPECT_EQ(fetch("192.0.2.8").status, 200);
  for (int i = 0; i < 5'100; ++i)
    ASSERT_EQ(fetch("127.0.0.1").status, 200) << "a proxy on this machine";
  clock.advance(Seconds(1));
  EXPECT_EQ(fetch("192.0.2.7").status, 200);
}

// ---- as the documents have them: updates

class UpdatesOfReleases : public ReleasesApi {
 protected:
  UpdatesOfReleases() {
    publish("v1.0.0");
    enrol(1, "bear");
    enrol(2, "owl", R"({"room":"lab"})");
  }
  Json schedule() { return get("/api/v1/releases/v1.0.0").at("/schedule"); }
  std::string wanted_by(int device) {
    const Json wanted = get("/api/v1/devices/" + uuid(device)).at("/release/desired");
    return wanted.is_string() ? std::string(wanted.as_string()) : "nothing";
  }
  std::string zip(const std::string& path = "/api/v1/updates/v1.0.0/download") {
    const Answered answered = ask(Method::get, path, "", {token_of(uuid(1))});
    EXPECT_EQ(answered.status, 200) << answered.response.body;
    if (!answered.response.file) return "";
    std::string bytes(answered.response.file->length, '\0');
    EXPECT_TRUE(release::read_at(answered.response.file->file, 0, bytes));
    return bytes;
  }
};

TEST_F(UpdatesOfReleases, AreMadeForAllForSomeOrForASelector) {
  EXPECT_EQ(
      post("/api/v1/updates/create", R"({"version":"v1.0.0","target_devices":"room=lab"})").at("/targeted"),
      Json(1));
  EXPECT_EQ(wanted_by(1) + " " + wanted_by(2), "nothing v1.0.0");
  EXPECT_EQ(post("/api/v1/updates/create", R"({"version":"v1.0.0","target_devices":["bear"]})").status, 201);
  EXPECT_EQ(wanted_by(1), "v1.0.0");
  publish("v1.1.0");
  const auto all = post("/api/v1/updates/create",
                        R"({"version":"v1.1.0","description":"x","update_type":"urgent","package_url":"u",
                            "requires_system_packages":true,"system_packages":["libopus0"],"reason":"now"})");
  EXPECT_EQ(all.status, 201) << all.response.body;
  EXPECT_EQ(wanted_by(1) + " " + wanted_by(2), "v1.0.0 v1.0.0") << "their own layers beat the fleet's";
  EXPECT_EQ(get("/api/v1/releases/v1.1.0").text("/schedule/type"), "urgent");
  for (const char* bad :
       {R"({"version":"v1.0.0","target_devices":7})", R"({"version":"v1.0.0","target_devices":[7]})",
        R"({"version":"v1.0.0","target_devices":"!!"})", R"({"version":"v1.0.0","scheduled_for":"soon"})"}) {
    EXPECT_EQ(post("/api/v1/updates/create", bad).status, 422) << bad;
  }
  EXPECT_EQ(
      post("/api/v1/updates/create", R"({"version":"v1.0.0","target_devices":["cat"],"now":true})").status,
      404);
  EXPECT_FALSE(schedule().as_object().contains("now")) << "nothing was scheduled for nobody";
}

TEST_F(UpdatesOfReleases, AMomentThatHasPassedIsAtOnce) {
  post("/api/v1/updates/create", R"({"version":"v1.0.0","scheduled_for":"2030-01-31T18:00:00Z"})");
  EXPECT_EQ(schedule(), *parse_json(R"({"type":"scheduled","not_before":"2030-01-31T18:00:00.000Z",
                                        "version":"v1.0.0"})"));
  EXPECT_EQ(get("/api/v1/devices/" + uuid(1) + "/updates/check").text("/updates/0/scheduled_for"),
            "2030-01-31T18:00:00.000Z");
  const Json at_once = *parse_json(R"({"type":"scheduled","now":true,"version":"v1.0.0"})");
  post("/api/v1/updates/create", R"({"version":"v1.0.0","scheduled_for":"2020-01-31T18:00:00Z"})");
  EXPECT_EQ(schedule(), at_once);
  post("/api/v1/updates/create", R"({"version":"v1.0.0","scheduled_for":"2030-01-31T18:00:00Z"})");
  post("/api/v1/updates/create", R"({"version":"v1.0.0","now":true})");
  EXPECT_EQ(schedule(), at_once);
}

TEST_F(UpdatesOfReleases, TellHowFarEachDeviceIs) {
  post("/api/v1/updates/create", R"({"version":"v1.0.0"})");
  LinkedDevice agent(*this, uuid(1), {});
  const auto status = [&](int device) {
    const auto checked = get("/api/v1/devices/" + uuid(device) + "/updates/check");
    return checked.at("/updates").as_array().empty() ? "none" : checked.text("/updates/0/status");
  };
  EXPECT_EQ(status(2), "pending");
  const auto say = [&](const std::string& body) {
    EXPECT_EQ(ask(Method::post, "/api/v1/updates/v1.0.0/status", body, {token_of(uuid(2))}).status, 200);
    return status(2);
  };
  for (const char* word : {"downloading", "installing", "pending"})
    EXPECT_EQ(say(std::string(R"({"status":")") + word + "\"}"), word);
  EXPECT_EQ(say(R"({"status":"failed","error_message":"disk full"})"), "failed");
  const auto rows = get("/api/v1/updates/v1.0.0/devices");
  EXPECT_EQ(row(rows, 1).at("error_message"), Json("disk full"));
  EXPECT_EQ(row(rows, 1).at("device_id"), Json(uuid(2)));
  EXPECT_EQ(row(rows, 0).at("status"), Json("pending"));
  EXPECT_EQ(say(R"({"status":"completed"})"), "none");
  EXPECT_EQ(get("/api/v1/devices/" + uuid(2)).text("/current_version"), "v1.0.0");
  EXPECT_EQ(row(get("/api/v1/updates/v1.0.0/devices"), 1).at("status"), Json("completed"));
  EXPECT_EQ(get("/api/v1/updates/v9.0.0/devices").status, 404);
}

TEST_F(UpdatesOfReleases, TellWhenADeviceBeganAndEnded) {
  post("/api/v1/updates/create", R"({"version":"v1.0.0"})");
  const auto times = [&](int device) {
    const JsonObject shown = row(get("/api/v1/updates/v1.0.0/devices"), static_cast<std::size_t>(device - 1));
    return boost::json::serialize(JsonArray{shown.at("started_at"), shown.at("completed_at")});
  };
  const auto now = [&] { return boost::json::serialize(Json(to_rfc3339(clock.wall()))); };
  const auto say = [&](const char* status) {
    clock.advance(Seconds(60));
    const std::string body = std::string(R"({"status":")") + status + "\"}";
    EXPECT_EQ(ask(Method::post, "/api/v1/updates/v1.0.0/status", body, {token_of(uuid(2))}).status, 200);
    return now();
  };
  EXPECT_EQ(times(2), "[null,null]");
  const std::string began = say("downloading");
  EXPECT_EQ(get("/api/v1/devices/" + uuid(2)).text("/status"), "updating");
  say("installing");
  EXPECT_EQ(times(2), "[" + began + ",null]");
  const std::string failed = say("failed");
  EXPECT_EQ(get("/api/v1/devices/" + uuid(2)).text("/status"), "online");
  EXPECT_EQ(times(2), "[" + began + "," + failed + "]");
  const std::string again = say("downloading");
  EXPECT_EQ(times(2), "[" + again + ",null]");
  const std::string ended = say("completed");
  EXPECT_EQ(times(2), "[" + again + "," + ended + "]");
  hub->records().flush();
  settle();
  restart();
  keep_releases();
  EXPECT_EQ(times(2), "[" + again + "," + ended + "]");
  EXPECT_EQ(times(1), "[null,null]");
}

TEST_F(UpdatesOfReleases, AnAgentIsUpdatingWhileItFetchesInstallsAndTries) {
  LinkedDevice agent(*this, uuid(1), {}, {1, 1}, true);
  post("/api/v1/updates/create", R"({"version":"v1.0.0"})");
  settle();
  const auto told = agent.updates(protocol::Section::software);
  ASSERT_EQ(told.size(), 1u);
  const auto status = [&] { return get("/api/v1/devices/" + uuid(1)).text("/status"); };
  const auto shown = [&](const char* field) { return row(get("/api/v1/updates/v1.0.0/devices")).at(field); };
  const auto report = [&](const std::string& state) {
    clock.advance(Seconds(60));
    agent.report(R"({"software":{"release":null,"state":")" + state + R"("}})");
  };
  EXPECT_EQ(status(), "online");
  agent.say(protocol::ConfigStatus{protocol::Section::software,
                                   told[0].hash,
                                   told[0].revision,
                                   protocol::empty_section_hash(),
                                   protocol::Phase::staging,
                                   {}});
  report("pending");
  EXPECT_EQ(status(), "online");
  EXPECT_EQ(shown("started_at"), Json());
  report("downloading");
  const Json began = Json(to_rfc3339(clock.wall()));
  EXPECT_EQ(status(), "updating");
  report("waiting");
  EXPECT_EQ(status(), "online") << "until its hour";
  EXPECT_EQ(shown("started_at"), began);
  clock.advance(Seconds(60));
  agent.answer(told[0], protocol::Phase::provisional);
  EXPECT_EQ(status(), "updating");
  EXPECT_EQ(shown("completed_at"), Json());
  clock.advance(Seconds(60));
  agent.answer(told[0], protocol::Phase::applied);
  EXPECT_EQ(status(), "online");
  EXPECT_EQ(shown("started_at"), began);
  EXPECT_EQ(shown("completed_at"), Json(to_rfc3339(clock.wall())));
}

TEST_F(UpdatesOfReleases, AnAgentThatWaitsForItsHourIsPending) {
  post("/api/v1/updates/create", R"({"version":"v1.0.0"})");
  const Digest wanted = protocol::hash_of(protocol::SoftwareDocument{std::string("v1.0.0")}.to_json());
  DeviceRecord& record = hub->records().edit("default", uuid(1));
  record.epoch = {1, 1};
  record.software = {wanted, protocol::empty_section_hash(), {}, protocol::Phase::staging, 1};
  const auto status = [&] {
    const auto checked = get("/api/v1/devices/" + uuid(1) + "/updates/check");
    return checked.at("/updates").as_array().empty() ? "none" : checked.text("/updates/0/status");
  };
  for (const auto& [state, expected] :
       {std::pair("downloading", "downloading"), std::pair("waiting", "pending"),
        std::pair("pending", "pending"), std::pair("installing", "installing")}) {
    const auto said = hub->records().change_facts(record, [&](DeviceFacts& facts) {
      facts.reported["software"] = JsonObject{{"release", nullptr}, {"state", state}};
    });
    ASSERT_TRUE(said);
    EXPECT_EQ(status(), expected) << state;
  }
  record.software.running = wanted;
  record.software.phase = protocol::Phase::provisional;
  EXPECT_EQ(status(), "installing") << "on trial";
  record.software.phase = protocol::Phase::applied;
  EXPECT_EQ(status(), "none");
}

TEST_F(UpdatesOfReleases, OneWithSettingsOfItsOwnIsAsFarAsItsAgentSays) {
  post("/api/v1/updates/create", R"({"version":"v1.0.0"})");
  const Digest sent = sha256("v1.0.0, and what comes with it"), former = sha256("of another");
  DeviceRecord& record = hub->records().edit("default", uuid(1));
  record.epoch = {1, 1};
  const auto status = [&](protocol::Phase phase, const Digest& refused, const char* state) {
    record.software = {sent, protocol::empty_section_hash(), refused, phase, 1};
    EXPECT_TRUE(hub->records().change_facts(record, [&](DeviceFacts& facts) {
      facts.reported["software"] = JsonObject{{"release", nullptr}, {"state", state}, {"wanted", "v1.0.0"}};
    }));
    return get("/api/v1/devices/" + uuid(1) + "/updates/check").text("/updates/0/status");
  };
  EXPECT_EQ(status(protocol::Phase::staging, {}, "downloading"), "downloading");
  EXPECT_EQ(status(protocol::Phase::staging, former, "installing"), "installing");
  EXPECT_EQ(status(protocol::Phase::reverted, sent, "reverted"), "failed");
}

TEST_F(UpdatesOfReleases, ComeAsAZipOfTheDocumentsLayout) {
  const std::string bytes = zip();
  EXPECT_TRUE(bytes.starts_with("PK"));
  EXPECT_NE(bytes.find("pi_client/client.py"), std::string::npos);
  EXPECT_EQ(zip(), bytes);
  fs::remove_all(folder / "hub/releases/default/zips");
  EXPECT_EQ(zip(), bytes) << "made anew";
  const auto answered = get("/api/v1/updates/v1.0.0/download");
  EXPECT_EQ(answered.response.content_type, "application/zip");
  EXPECT_EQ(answered.response.headers.find("Content-Disposition"),
            "attachment; filename=\"update_v1.0.0.zip\"");
  EXPECT_EQ(get("/api/v1/updates/v9.0.0/download").status, 404);
  EXPECT_EQ(get("/api/v1/updates/v1.0.0/download?architecture=arm64").status, 404);

  publish("v1.1.0", protocol::Architecture::arm64);
  EXPECT_TRUE(zip("/api/v1/updates/v1.1.0/download").starts_with("PK")) << "the only one that there is";
  publish("v1.1.0", protocol::Architecture::armhf);
  EXPECT_EQ(get("/api/v1/updates/v1.1.0/download").status, 422) << "which one?";
}

TEST_F(UpdatesOfReleases, AZipThatManyAskForIsMadeOnce) {
  const std::vector<std::string> bodies(2 * ZipShelf::max_waiting);
  for (const Answered& each :
       ask_together(Method::get, "/api/v1/updates/v1.0.0/download", bodies, {{token_of(uuid(1))}}))
    EXPECT_EQ(each.status, 200) << each.response.body;
}

TEST_F(UpdatesOfReleases, AHubThatEndsAnswersWhoWaitsForItsDisk) {
  repositories->stop();
  const Answered refused = get("/api/v1/updates/v1.0.0/download");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.text("/detail"), "the hub ends");
  EXPECT_TRUE(fs::is_empty(folder / "hub/releases/default/zips"));
  EXPECT_EQ(put("/api/v1/releases/v1.0.0/schedule", R"({"type":"urgent"})").status, 503);
}

TEST_F(UpdatesOfReleases, OnlySoMuchWaitsForTheDisk) {
  std::size_t carried_out = 0;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < Repositories::max_waiting + 3; ++i) {
    repositories->perform(
        "default", [](Repository&) { return Result<void>(); },
        [&](const Result<void>& outcome) { ++(outcome ? carried_out : refused); });
  }
  run_until([&] { return carried_out + refused == Repositories::max_waiting + 3; });
  EXPECT_EQ(carried_out, Repositories::max_waiting);
}

TEST_F(UpdatesOfReleases, AnUploadIsRefusedBeforeItHasComeAndNotAfterwards) {
  const std::string content = "of a tar";
  http::Request upload;
  upload.method = Method::put;
  upload.path = "/api/v1/releases/v2.0.0/all";
  upload.target = upload.path + "?sha256=" + sha256(content).hex();
  upload.query = *http::Query::parse("sha256=" + sha256(content).hex());
  upload.headers.add("Authorization", "Bearer " + admin_key);
  upload.headers.add("Content-Length", std::to_string(content.size()));
  auto received = api->receive(upload);
  ASSERT_TRUE(std::holds_alternative<std::shared_ptr<http::BodySink>>(received));
  upload.sink = std::get<std::shared_ptr<http::BodySink>>(received);
  ASSERT_TRUE(upload.sink->write(content));

  std::promise<void> go_on;
  const auto gone_on = go_on.get_future().share();
  for (std::size_t i = 0; i < Repositories::max_waiting; ++i) {
    repositories->perform(
        "default",
        [gone_on](Repository&) {
          gone_on.wait();
          return Result<void>();
        },
        [](const Result<void>& outcome) { EXPECT_TRUE(outcome); });
  }
  const auto refused = api->receive(upload);
  ASSERT_TRUE(std::holds_alternative<http::Response>(refused));
  EXPECT_EQ(std::get<http::Response>(refused).status, 503);

  http::Response response;
  bool answered = false;
  const auto serve = [&]() -> asio::awaitable<void> {
    auto serving = api->serve(upload);
    response = co_await std::move(serving);
    answered = true;
  };
  asio::co_spawn(*context, serve, asio::detached);
  context->restart();
  context->poll();
  EXPECT_FALSE(answered) << response.body;
  go_on.set_value();
  run_until([&] { return answered; });
  EXPECT_EQ(response.status, 201) << response.body;
}

TEST_F(UpdatesOfReleases, OnlyTheNewestZipsAreKept) {
  for (std::size_t i = 1; i <= ZipShelf::kept + 2; ++i) {
    const std::string version = "v1.0." + std::to_string(i);
    publish(version);
    zip("/api/v1/updates/" + version + "/download");
  }
  std::size_t kept = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder / "hub/releases/default/zips"))
    ++kept;
  EXPECT_EQ(kept, ZipShelf::kept);
}

}  // namespace
}  // namespace starling::hub
