// Releases from the operator's command line until a device runs them, with the real programs in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "base/build_folders.hpp"
#include "base/crypto.hpp"
#include "e2e/fleet.hpp"
#include "e2e/supervised_device.hpp"
#include "install/debian_root.hpp"

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Releases : public testing::Test {
 protected:
  void start(std::vector<std::string> arguments = {}) {
    hub_.emplace(folder_.path(), std::move(arguments));
    hub_->start();
  }
  Finished command(std::vector<std::string> arguments) const { return hub_->command(std::move(arguments)); }
  static void expect_done(const Finished& finished) { EXPECT_EQ(finished.status, 0) << finished.output; }
  std::string keys() const { return (folder_ / "keys").string(); }
  Finished create(const std::string& version, const fs::path& folder,
                  std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments{"release", "create", version, "What is new", folder.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return command(std::move(arguments));
  }

  TemporaryFolder folder_;
  std::optional<HubProcess> hub_;
};

// ---- to whoever fetches them

class PublishedReleases : public Releases {
 protected:
  // A folder for a release that is larger than what the hub keeps of any request in memory.
  fs::path payload(const std::string& seed) const {
    std::string bytes;
    while (bytes.size() < 3'000'000)
      bytes += sha256(seed + std::to_string(bytes.size())).hex();
    fs::path folder = folder_ / seed;
    fs::create_directories(folder);
    write_text(folder / "client.py", bytes);
    return folder;
  }
  // The same, made by itself.
  std::string packed(const std::string& version, const fs::path& folder) const {
    const std::string file = (folder_ / (version + ".tar")).string();
    expect_done(command({"release", "pack", version, "What is new", folder.string(), "-o", file}));
    return read_text(file);
  }
  // What a device gets that trusts the root of the operator's folder.
  Finished tuf(std::vector<std::string> arguments) const {
    arguments.insert(
        arguments.begin(),
        {"--metadata-dir", (folder_ / "trust").string(), "--metadata-url", hub_->url() + "/tuf/metadata",
         "--target-base-url", hub_->url() + "/tuf/targets", "--target-dir", folder_.path().string()});
    return run({.program = "starling-tuf",
                .arguments = std::move(arguments),
                .environment = {},
                .output = folder_ / "tuf.log"});
  }
  void trust() const { expect_done(tuf({"init", keys() + "/root.json"})); }
  std::string download(const std::string& version) const {
    const Finished finished = tuf({"--target-name", "releases/" + version + "/all.tar", "download"});
    return finished.status == 0 ? read_text(folder_ / ("releases%2F" + version + "%2Fall.tar")) : "";
  }
};

TEST_F(PublishedReleases, ADraftReachesDevicesOnceItIsSigned) {
  start();
  const fs::path first = payload("first");
  expect_done(create("v1.0.0", first));
  EXPECT_EQ(hub_->ask("GET", "/tuf/metadata/timestamp.json").status, 404);
  expect_done(command({"keys", "init", "--keys", keys()}));
  trust();
  EXPECT_EQ(download("v1.0.0"), "");
  EXPECT_THAT(command({"release", "list"}).output, HasSubstr("draft"));
  expect_done(command({"release", "sign", "v1.0.0", "--keys", keys()}));
  EXPECT_EQ(download("v1.0.0"), packed("v1.0.0", first));

  const fs::path second = payload("second");
  expect_done(create("v1.1.0", second, {"--keys", keys()}));
  hub_->kill();
  hub_->start();
  EXPECT_EQ(download("v1.1.0"), packed("v1.1.0", second));
  const Finished again = create("v1.1.0", first);
  EXPECT_EQ(again.status, 1);
  EXPECT_THAT(again.output, HasSubstr("published already"));
  EXPECT_EQ(command({"release", "delete", "v1.1.0"}).status, 1);
}

TEST_F(PublishedReleases, KeysAreRotatedUnderDevicesThatFollow) {
  start();
  expect_done(command({"keys", "init", "--keys", keys()}));
  trust();
  const fs::path first = payload("first");
  expect_done(create("v1.0.0", first, {"--keys", keys()}));
  for (const char* role : {"targets", "root", "online"})
    expect_done(command({"keys", "rotate", role, "--keys", keys()}));
  EXPECT_EQ(download("v1.0.0"), packed("v1.0.0", first));
  const fs::path second = payload("second");
  expect_done(create("v1.1.0", second, {"--keys", keys()}));
  EXPECT_EQ(download("v1.1.0"), packed("v1.1.0", second));
}

TEST_F(PublishedReleases, ComeBackFromABackupToDevicesThatHaveSeenMore) {
  start({"--online-targets"});
  expect_done(command({"keys", "init", "--keys", keys(), "--online-targets"}));
  trust();
  const fs::path first = payload("first");
  expect_done(create("v1.0.0", first, {"--all"}));
  const auto hub_program = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--data", hub_->data().string()});
    return run({.program = "starling-hub",
                .arguments = std::move(arguments),
                .environment = {},
                .output = folder_ / "hub-command.log"});
  };
  const std::string saved = (folder_ / "hub.backup").string();
  const Finished backed_up = hub_program({"backup", saved});
  EXPECT_THAT(backed_up.output, HasSubstr("hub.backup.releases"));
  expect_done(backed_up);

  for (const char* version : {"v1.1.0", "v1.2.0"})
    expect_done(create(version, payload(version)));
  EXPECT_EQ(download("v1.2.0"), packed("v1.2.0", folder_ / "v1.2.0"));
  const auto restore = [&] {
    ASSERT_EQ(hub_->stop(), 0);
    expect_done(hub_program({"restore", saved}));
    hub_->start();
  };
  restore();  // the database alone was lost
  EXPECT_EQ(download("v1.2.0"), packed("v1.2.0", folder_ / "v1.2.0")) << "what is published stays published";
  EXPECT_THAT(command({"release", "list"}).output, HasSubstr("v1.2.0"));

  ASSERT_EQ(hub_->stop(), 0);
  fs::remove_all(hub_->data() / "releases");
  hub_->start();
  restore();  // the releases were lost too
  EXPECT_EQ(download("v1.0.0"), packed("v1.0.0", first));
  EXPECT_EQ(download("v1.2.0"), "");
  const fs::path next = payload("next");
  expect_done(create("v1.3.0", next));
  EXPECT_EQ(download("v1.3.0"), packed("v1.3.0", next));
}

// ---- to a device that runs them

class InstalledReleases : public Releases {
 protected:
  InstalledReleases() {
    start({"--online-targets"});
    expect_done(command({"keys", "init", "--keys", keys(), "--online-targets"}));
  }
  void start_device(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments{"--key",           hub_->make_enrolment_key(),
                                       "--name",          "toy",
                                       "--components",    (source_folder() / "components").string(),
                                       "--release-trial", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    device_ = std::make_unique<SupervisedDevice>(std::move(arguments), hub_->url());
    device_->start();
    eventually("the device to be known", [this] { return command({"device", "show", "toy"}).status == 0; });
  }
  void start_trusting_device() { start_device({"--release-root", keys() + "/root.json"}); }

  // With a module whose program does that.
  fs::path payload(const std::string& version, const std::string& does) const {
    fs::path folder = folder_ / version;
    const fs::path module = folder / "modules/ear";
    fs::create_directories(module);
    write_text(module / "module.toml", "exec = \"run\"\nreadiness = \"exec\"\nready_after = \"100ms\"\n");
    write_text(module / "config.txt", "enabled = true\n");
    write_text(module / "run", "#!/bin/sh\n" + does + "\n", 0755);
    return folder;
  }
  // Published, and to be taken at once.
  void publish(const std::string& version, const fs::path& folder, std::vector<std::string> more = {}) const {
    expect_done(create(version, folder, std::move(more)));
    hub_->call("PUT", "/api/v1/releases/" + version + "/schedule",
               JsonObject{{"type", "scheduled"}, {"now", true}});
  }
  void want(const std::string& version) const {
    expect_done(command({"settings", "set", "software.release=" + version}));
  }
  std::string tar_of(const std::string& version) const {
    const Json releases = hub_->call("GET", "/api/v1/releases");
    for (const Json& release : releases.at("items").as_array()) {
      if (release.at("version") == Json(version))
        return std::string(release.at("architectures").as_object().begin()->value().at("sha256").as_string());
    }
    return "";
  }
  // What takes processor time more than anything else here, with a low priority.
  static constexpr std::chrono::minutes long_work{10};
  // Until the hub has made it.
  void await_delta(const std::string& from, const std::string& to) const {
    const std::string offers = "/tuf/encodings/" + tar_of(to) + "/from/" + tar_of(from);
    eventually(
        "a delta", [&] { return !hub_->call("GET", offers).at("making").as_bool(); }, long_work);
  }
  std::string reported() const {
    const std::string id(hub_->device("toy").at("id").as_string());
    const Json device = hub_->call("GET", "/api/v1/devices/" + id);
    const Json* software = device.at("reported").as_object().if_contains("software");
    if (software == nullptr) return "nothing";
    const Json* release = software->as_object().if_contains("release");
    return (release != nullptr && release->is_string() ? std::string(release->get_string()) : "none") + " " +
           std::string(software->at("state").as_string());
  }
  void await(const std::string& what) const {
    std::string last;
    try {
      eventually("the device to report " + what, [&] {
        last = reported();
        return last == what;
      });
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(error.what() + (", it reports " + last + "\n") + device_->log());
    }
  }
  // By pip.
  void await_installed(const std::string& what) const {
    eventually("the device to install",
               [&] { return reported().ends_with(" installing") || reported() == what; });
    eventually(
        "the device to have installed", [&] { return !reported().ends_with(" installing"); }, long_work);
    await(what);
  }
  std::string record() const { return read_text(device_->state() / "update.json"); }
  // Bytes of releases that the hub has answered with.
  std::uint64_t sent(const std::string& encoding) const {
    const std::string metrics = hub_->ask("GET", "/metrics").body;
    const std::string name = "starling_release_bytes_sent_total{encoding=\"" + encoding + "\"} ";
    const std::size_t at = metrics.find(name);
    return at == std::string::npos ? 0 : std::stoull(metrics.substr(at + name.size()));
  }
  void await_settings() const {
    eventually("the device to have its settings", [this] {
      const std::string status = hub_->sync_status("toy");
      return status == "in_sync" || status == "provisional";
    });
  }
  // For a minute they are on trial.
  void await_proved_settings() const {
    eventually(
        "settings to prove themselves", [&] { return hub_->sync_status("toy") == "in_sync"; }, long_work);
  }
  // With a threshold of 0.9. Gives the rollout's id.
  std::string roll_out(const std::string& version) const {
    const JsonObject values{{"software.release", version}, {"hotword.threshold", 0.9}};
    const Json started = hub_->call("POST", "/api/v1/rollouts",
                                    JsonObject{{"values", values},
                                               {"stages", JsonArray{JsonObject{{"share", 10'000}}}},
                                               {"soak_ms", 600'000},
                                               {"max_failures", 10'000}});
    return std::string(started.at("id").as_string());
  }
  Json rollout(const std::string& id) const { return hub_->call("GET", "/api/v1/rollouts/" + id); }
  bool has_new_threshold() const {
    // As canonical JSON writes 0.9.
    return read_text(device_->state() / "current/document.json").find("threshold\":9E-1") !=
           std::string::npos;
  }
  // Beside its module something that is larger than all that is new in the next.
  fs::path large_payload(const std::string& version) const {
    fs::path folder = payload(version, "exec sleep 100" + version.substr(3, 1));
    std::string noise;
    while (noise.size() < 400'000)
      noise += sha256(std::to_string(noise.size())).hex();
    write_text(folder / "model", noise);
    return folder;
  }
  std::string program_of(pid_t pid) const {
    std::error_code gone;
    return fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", gone).string();
  }
  // None while one is started.
  pid_t agent() const {
    try {
      return device_->agent();
    } catch (const std::runtime_error&) {
      return 0;
    }
  }
  void kill_agent() const {
    eventually("an agent", [this] { return agent() != 0; });
    const pid_t former = agent();
    ::kill(former, SIGKILL);
    eventually("another agent", [&] { return agent() != 0 && agent() != former; });
  }

  std::unique_ptr<SupervisedDevice> device_;
};

TEST_F(InstalledReleases, OneThatWorksStaysAndOneThatDoesNotGoes) {
  start_trusting_device();
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"));
  want("v1.0.0");
  await("v1.0.0 confirmed");
  const pid_t first = device_->await_ready("ear");
  EXPECT_THAT(command({"release", "show", "v1.0.0"}).output, HasSubstr("1 device: toy"));

  publish("v1.1.0", payload("v1.1.0", "exit 1"));
  want("v1.1.0");
  await("v1.0.0 reverted");
  EXPECT_THAT(command({"device", "list"}).output, HasSubstr("v1.0.0 → v1.1.0"));
  EXPECT_THAT(command({"device", "show", "toy"}).output, HasSubstr("'ear' keeps ending"));
  device_->await_ready("ear", first);

  publish("v1.2.0", payload("v1.2.0", "exec sleep 1001"));
  want("v1.2.0");
  await("v1.2.0 confirmed");
  device_->await_ready("ear", first);
}

TEST_F(InstalledReleases, OneComesWithItsSettingsOrNeitherDoes) {
  start_trusting_device();
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"));
  want("v1.0.0");
  await("v1.0.0 confirmed");
  await_proved_settings();
  publish("v1.1.0", payload("v1.1.0", "exit 1"));
  const std::string bad = roll_out("v1.1.0");
  await("v1.0.0 reverted");
  eventually("the rollout to know", [&] { return rollout(bad).at("stages").at(0).at("failed") == Json(1); });
  EXPECT_EQ(rollout(bad).at("state"), Json("settling")) << "it goes on";
  EXPECT_FALSE(has_new_threshold());
  hub_->call("POST", "/api/v1/rollouts/" + bad + "/abort");
  await("v1.0.0 confirmed");

  publish("v1.2.0", payload("v1.2.0", "exec sleep 1001"));
  const std::string good = roll_out("v1.2.0");
  await("v1.2.0 confirmed");
  EXPECT_TRUE(has_new_threshold());
  eventually("the rollout to know", [&] { return rollout(good).at("stages").at(0).at("done") == Json(1); });
  EXPECT_EQ(hub_->sync_status("toy"), "in_sync");
}

TEST_F(InstalledReleases, ItsAgentTakesOverAndMayBeKilledAnywhere) {
  start_trusting_device();
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"));
  want("v1.0.0");
  await("v1.0.0 confirmed");
  const fs::path next = payload("v1.1.0", "exec sleep 1001");
  fs::create_directories(next / "bin");
  fs::copy_file(programs_folder() / "starling-agent", next / "bin/starling-agent");
  publish("v1.1.0", next);
  await_delta("v1.0.0", "v1.1.0");
  want("v1.1.0");
  kill_agent();
  eventually("the release to be on trial",
             [this] { return record().find("\"step\":\"provisional\"") != std::string::npos; });
  kill_agent();
  await("v1.1.0 confirmed");
  device_->await_ready("ear");
  EXPECT_THAT(program_of(device_->agent()), HasSubstr("/releases/"));
}

TEST_F(InstalledReleases, AModuleWithAUserOfItsOwnRunsAndGetsToNothingElse) {
  start_trusting_device();
  const bool root = ::geteuid() == 0;
  const std::string state = device_->state().string();
  const fs::path folder =
      payload("v1.0.0", "cat module.toml; cd " + state + " && for name in token identity.json update.json " +
                            "generations/1/document.json config_override.json logs/ear.log; " +
                            "do [ -r $name ] && echo sees $name; done; ls " + state +
                            "; echo says `id -un`; exec sleep 1000");
  write_text(folder / "modules/ear/module.toml",
             read_text(folder / "modules/ear/module.toml") + (root ? "[limits]\nuser = \"nobody\"\n" : ""));
  publish("v1.0.0", folder);
  want("v1.0.0");
  await("v1.0.0 confirmed");
  device_->await_ready("ear");
  const std::string said = device_->ctl({"module", "logs", "ear"}).output;
  EXPECT_THAT(said, HasSubstr("exec = \"run\"")) << "its own folder";
  EXPECT_THAT(said, HasSubstr(root ? "says nobody" : "says "));
  EXPECT_EQ(said.find("out sees") == std::string::npos, root) << said;
  EXPECT_EQ(said.find("out releases") == std::string::npos, root) << said;
}

TEST_F(InstalledReleases, ItsModulesRunWithThePythonPackagesThatItBrings) {
  start_trusting_device();
  const fs::path folder = payload("v1.0.0", "");
  write_text(folder / "modules/ear/run",
             "#!/usr/bin/env python3\nimport hears, time\nprint('hears', hears.what, flush=True)\n"
             "time.sleep(1000)\n",
             0755);
  write_text(folder / "requirements.txt", "hears==1.0\n");
  fs::create_directories(folder / "wheels");
  constexpr const char* make_wheel = R"(
import sys, zipfile
info = 'hears-1.0.dist-info/'
with zipfile.ZipFile(sys.argv[1] + '/hears-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('hears.py', 'what = "an owl"\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: hears\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'RECORD', '')
)";
  expect_done(run({.program = "/usr/bin/python3",
                   .arguments = {"-c", make_wheel, (folder / "wheels").string()},
                   .environment = {},
                   .output = folder_ / "wheel.log"}));
  publish("v1.0.0", folder);
  want("v1.0.0");
  await_installed("v1.0.0 confirmed");
  device_->await_ready("ear");
  EXPECT_THAT(device_->ctl({"module", "logs", "ear"}).output, HasSubstr("hears an owl"));

  write_text(folder / "requirements.txt", "sees==1.0\n");
  publish("v1.1.0", folder);
  want("v1.1.0");
  await_installed("v1.0.0 refused");
  EXPECT_THAT(command({"device", "show", "toy"}).output,
              HasSubstr("No matching distribution found for sees==1.0"));
}

// Neither has it spoken to the keeper, nor will it.
TEST_F(InstalledReleases, OneWhoseAgentHangsFromTheBeginningGoes) {
  start_device({"--release-root", keys() + "/root.json", "--watchdog", "5"});
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"));
  want("v1.0.0");
  await("v1.0.0 confirmed");
  const fs::path next = payload("v1.1.0", "exec sleep 1001");
  fs::create_directories(next / "bin");
  write_text(next / "bin/starling-agent", "#!/bin/sh\nexec sleep 1000\n", 0755);
  publish("v1.1.0", next);
  want("v1.1.0");
  await("v1.0.0 reverted");
  EXPECT_THAT(command({"device", "show", "toy"}).output, HasSubstr("the agent crashed 3 times"));
  device_->await_ready("ear");
}

TEST_F(InstalledReleases, TheNextOneComesAsADelta) {
  start_trusting_device();
  const fs::path first = large_payload("v1.0.0");
  publish("v1.0.0", first);
  want("v1.0.0");
  await("v1.0.0 confirmed");
  const std::uint64_t packed = sent("packed");
  EXPECT_GT(packed, 100'000u);
  EXPECT_LT(packed, 300'000u) << "hexadecimal digits take half of their room";
  EXPECT_EQ(sent("delta"), 0u);

  publish("v1.1.0", large_payload("v1.1.0"));
  want("v1.1.0");
  await("v1.1.0 confirmed");
  EXPECT_GT(sent("delta"), 0u);
  EXPECT_LT(sent("delta"), 3'000u);
  EXPECT_EQ(sent("packed"), packed);
  EXPECT_EQ(sent("plain"), 0u);
  EXPECT_THAT(device_->log(), HasSubstr("delta"));
}

TEST_F(InstalledReleases, OverAMeteredLinkItWaitsUntilItMayComeAsAWhole) {
  start_trusting_device();
  expect_done(command({"settings", "set", "updates.metered=true"}));
  await_settings();
  publish("v1.0.0", large_payload("v1.0.0"));
  want("v1.0.0");
  eventually("the device to say that it waits", [this] {
    return command({"device", "show", "toy"}).output.find("updates.whole_on_metered") != std::string::npos;
  });
  EXPECT_EQ(sent("packed") + sent("plain"), 0u);
  expect_done(command({"settings", "set", "updates.whole_on_metered=true"}));
  await("v1.0.0 confirmed");
  EXPECT_GT(sent("packed"), 0u);

  expect_done(command({"settings", "set", "updates.whole_on_metered=false"}));
  publish("v1.1.0", large_payload("v1.1.0"));
  want("v1.1.0");
  await("v1.1.0 confirmed");
  EXPECT_GT(sent("delta"), 0u);
}

TEST_F(InstalledReleases, ADownloadGoesOnWhereTheAgentWasKilled) {
  start_trusting_device();
  expect_done(command({"settings", "set", "updates.bytes_per_second=60000"}));
  await_settings();
  publish("v1.0.0", large_payload("v1.0.0"));
  want("v1.0.0");
  const fs::path releases = device_->state() / "releases";
  const auto part = [&]() -> std::uintmax_t {
    std::error_code none;
    for (const auto& file : fs::directory_iterator(releases, none)) {
      if (file.path().string().ends_with(".part")) return fs::file_size(file.path(), none);
    }
    return 0;
  };
  eventually("some of it to come", [&] { return part() > 20'000; });
  kill_agent();
  await("v1.0.0 confirmed");
  EXPECT_EQ(sent("plain"), 0u);
  EXPECT_GT(sent("packed"), 0u);
}

TEST_F(InstalledReleases, WithoutARootTheDeviceSaysThatItCannot) {
  start_device();
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"));
  want("v1.0.0");
  await("none refused");
  EXPECT_EQ(hub_->sync_status("toy"), "refused");
  EXPECT_THAT(command({"device", "show", "toy"}).output, HasSubstr("--release-root"));
}

// Of a Debian of their own, with starling-install run as systemd runs it: where there is a request.
class ReleasesWithPackages : public InstalledReleases {
 protected:
  ReleasesWithPackages() {
    for (const std::string name : {"drum", "horn"})
      debian_.publish({name, "1.0", ""});
  }
  void await_with_packages(const std::string& what) const {
    const fs::path request = device_->state() / "install/request.json";
    eventually("the device to report " + what, [&] {
      if (fs::exists(request)) {
        expect_done(run({.program = "starling-install",
                         .arguments = {"--state", device_->state().string(), "--folder", debian_.at("kept")},
                         .environment = {},
                         .output = folder_ / "install.log"}));
      }
      return reported() == what && !fs::exists(request);
    });
  }

  install::DebianRoot debian_;
};

TEST_F(ReleasesWithPackages, ComeWithThemAndGoWithThem) {
  start_device({"--release-root", keys() + "/root.json", "--packages", debian_.at("kept")});
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"), {"--packages", "drum"});
  want("v1.0.0");
  await_with_packages("v1.0.0 confirmed");
  EXPECT_EQ(debian_.installed(), std::set<std::string>{"drum=1.0"});
  publish("v1.1.0", payload("v1.1.0", "exit 1"), {"--packages", "drum,horn"});
  want("v1.1.0");
  await_with_packages("v1.0.0 reverted");
  EXPECT_EQ(debian_.installed(), std::set<std::string>{"drum=1.0"});
  EXPECT_THAT(read_text(folder_ / "install.log"), HasSubstr("--remove -- horn")) << "it was there";
}

TEST_F(ReleasesWithPackages, GetFormerVersionsBackAlsoAfterTheyWereConfirmed) {
  start_device({"--release-root", keys() + "/root.json", "--packages", debian_.at("kept")});
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"), {"--packages", "drum=1.0"});
  want("v1.0.0");
  await_with_packages("v1.0.0 confirmed");
  debian_.publish({"drum", "1.1", ""});
  publish("v1.1.0", payload("v1.1.0", "exec sleep 1001"), {"--packages", "drum=1.1"});
  want("v1.1.0");
  await_with_packages("v1.1.0 confirmed");
  EXPECT_EQ(debian_.installed(), std::set<std::string>{"drum=1.1"});
  debian_.withdraw("drum", "1.0");
  want("v1.0.0");
  await_with_packages("v1.0.0 confirmed");
  EXPECT_EQ(debian_.installed(), std::set<std::string>{"drum=1.0"});
}

TEST_F(ReleasesWithPackages, AreRefusedWhereNobodyInstallsThem) {
  start_trusting_device();
  publish("v1.0.0", payload("v1.0.0", "exec sleep 1000"), {"--packages", "drum"});
  want("v1.0.0");
  await("none refused");
  EXPECT_THAT(command({"device", "show", "toy"}).output, HasSubstr("needs Debian packages"));
}

}  // namespace
}  // namespace starling::e2e
