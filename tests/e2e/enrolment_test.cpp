// How devices become known, what they say of themselves later, and with which keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "base/uuid.hpp"
#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

class Enrolment : public testing::Test {
 protected:
  Enrolment() : hub(folder.path()) { hub.start(); }
  ~Enrolment() override { EXPECT_EQ(hub.stop(), 0) << hub.log(); }

  using Environment = std::map<std::string, std::string>;

  Process::Options agent(const std::string& state, std::vector<std::string> arguments,
                         Environment environment) {
    std::vector<std::string> all = {"--state", (folder / state).string(), "--hub", hub.url()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return {.program = "starling-agent",
            .arguments = std::move(all),
            .environment = std::move(environment),
            .output = folder / (state + ".log")};
  }
  Process::Options agent(const std::string& state, std::vector<std::string> arguments) {
    return agent(state, std::move(arguments), {{"STARLING_ENROLMENT_KEY", enrolment_key()}});
  }
  std::string enrolment_key() {
    if (key_.empty()) key_ = hub.make_enrolment_key();
    return key_;
  }
  Json await(const std::string& what, const std::function<bool(const Json&)>& good) {
    Json found;
    eventually(what, [&] {
      const Json list = hub.call("GET", "/api/v1/devices");
      for (const Json& device : list.at("items").as_array()) {
        if (!good(device)) continue;
        found = device;
        return true;
      }
      return false;
    });
    return found;
  }
  Json await_name(const std::string& name) {
    return await(name, [&](const Json& device) {
      return device.at("device_name") == Json(name) && device.at("status") == "online";
    });
  }

  TemporaryFolder folder;
  HubProcess hub;

 private:
  std::string key_;
};

int end(Process process) {
  process.signal(SIGTERM);
  return process.wait();
}

TEST_F(Enrolment, WhatChangesOnTheDeviceReachesTheHubAndWhatChangesThereStays) {
  const auto with = [&](const std::string& name, const std::string& zone) {
    return agent("bear", {"--name", name, "--timezone", zone});
  };
  Process first(with("bear", "Europe/Berlin"));
  const std::string id(await_name("bear").at("id").as_string());
  hub.call("PATCH", "/api/v1/devices/" + id, JsonObject{{"device_name", "Bruno"}});
  EXPECT_EQ(end(std::move(first)), 0);

  Process moved(with("bear", "Asia/Tokyo"));
  const Json device = await("the new time zone to arrive",
                            [](const Json& each) { return each.at("timezone") == "Asia/Tokyo"; });
  EXPECT_EQ(device.at("id"), Json(id));
  EXPECT_EQ(device.at("device_name"), Json("Bruno")) << "the operator's name is not undone";
  eventually("the device to know that it was heard", [&] {
    return read_text(folder / "bear" / "told.json").find("Asia/Tokyo") != std::string::npos;
  });
  EXPECT_EQ(end(std::move(moved)), 0);

  Process renamed(with("ted", "Asia/Tokyo"));
  await_name("ted");
  EXPECT_EQ(end(std::move(renamed)), 0);
  const Json row = hub.call("GET", "/api/v1/changes?newest_first=true&limit=1").at("items").at(0);
  EXPECT_EQ(row.at("principal"), Json("device:" + id));
}

TEST_F(Enrolment, AnyTzLetsADeviceEnrol) {
  for (const std::string tz : {":/etc/localtime", "EST5EDT,M3.2.0", "CET-1CEST"}) {
    const std::string name = "device-" + std::to_string(tz.size());
    Process process(agent(name, {"--name", name}, {{"STARLING_ENROLMENT_KEY", enrolment_key()}, {"TZ", tz}}));
    await_name(name);
    EXPECT_EQ(end(std::move(process)), 0);
  }
  const Finished wrong = run(agent("wrong", {"--timezone", "EST5EDT,M3.2.0"}));
  EXPECT_NE(wrong.status, 0);
  EXPECT_THAT(wrong.output, HasSubstr("--timezone"));
}

TEST_F(Enrolment, ACopiedCardIsShownAsAClone) {
  const auto on_board = [&](const std::string& state, const std::string& serial) {
    return agent(state, {"--name", state},
                 {{"STARLING_ENROLMENT_KEY", enrolment_key()}, {"STARLING_BOARD_SERIAL", serial}});
  };
  Process original(on_board("bear", "board-1"));
  const Json bear = await_name("bear");
  EXPECT_EQ(end(std::move(original)), 0);
  std::filesystem::copy(
      folder / "bear", folder / "copy",
      std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  Process again(on_board("bear", "board-1"));
  Process copied(on_board("copy", "board-2"));
  const Json copy = await_name("copy");
  EXPECT_EQ(copy.at("clone_of"), bear.at("id"));
  EXPECT_NE(copy.at("id"), bear.at("id"));
  EXPECT_TRUE(await_name("bear").at("clone_of").is_null());
  EXPECT_EQ(end(std::move(again)), 0);
  EXPECT_EQ(end(std::move(copied)), 0);
}

TEST_F(Enrolment, KeysComeFromAFileTheEnvironmentOrTheCommandLine) {
  const auto fails_with = [&](std::vector<std::string> arguments, const std::string& said) {
    const Finished finished = run(agent("none", std::move(arguments), {}));
    EXPECT_NE(finished.status, 0) << said;
    EXPECT_THAT(finished.output, HasSubstr("--key-file"));
    EXPECT_THAT(finished.output, HasSubstr(said));
  };
  const std::string file = (folder / "enrolment.key").string();
  fails_with({"--key-file", file}, "enrolment.key");
  write_text(file, "\n", 0600);
  fails_with({"--key-file", file}, "is empty");
  write_text(file, enrolment_key() + "\n", 0644);
  Process by_file(agent("file", {"--name", "file", "--key-file", file}, {}));
  await_name("file");
  EXPECT_THAT(by_file.output(), HasSubstr("chmod 600"));

  const Json made = hub.call("POST", "/api/v1/keys", JsonObject{{"name", "ops"}, {"role", "operator"}});
  Process by_operator(agent("ops", {"--name", "ops", "--key", std::string(made.at("key").as_string())}, {}));
  await_name("ops");
  EXPECT_THAT(by_operator.output(), HasSubstr("prefer --key-file"));
  EXPECT_EQ(end(std::move(by_file)), 0);
  EXPECT_EQ(end(std::move(by_operator)), 0);

  std::filesystem::remove(file);  // as one may, when the device has enrolled
  Process without(agent("file", {"--name", "file", "--key-file", file}, {}));
  eventually("a link without the key", [&] {
    const std::string said = without.output();
    const auto key = said.find("can do without");
    return key != std::string::npos && said.find("connected to the hub", key) != std::string::npos;
  });
  EXPECT_EQ(end(std::move(without)), 0);
}

TEST(HeartbeatFlag, SaysHowOftenAndWhenASilentDeviceIsOffline) {
  TemporaryFolder folder;
  HubProcess hub(folder.path(), {"--heartbeat", "1"});
  hub.start();
  const std::string id = make_uuid_v4();
  const Json registered =
      hub.call("POST", "/api/v1/devices/register", JsonObject{{"device_uuid", id}, {"device_name", "plain"}});
  EXPECT_EQ(registered.at("heartbeat_seconds"), Json(1));
  EXPECT_EQ(registered.at("status"), Json("online"));
  AgentProcess agent(folder.path(), {"linked", hub.url(), hub.make_enrolment_key()});
  agent.start();
  const auto uptime = [&] {
    const Json device = hub.device("linked");
    const Json* seconds =
        device.is_object() ? device.at("reported").as_object().if_contains("uptime_s") : nullptr;
    return seconds == nullptr ? std::int64_t{-1} : seconds->as_int64();
  };
  eventually("the device's first heartbeat", [&] { return uptime() >= 0; });
  const auto first = uptime();
  eventually("the device's next heartbeats", [&] { return uptime() >= first + 2; });
  eventually("the silent one to be offline",
             [&] { return hub.device("plain").at("status") == Json("offline"); });
  EXPECT_EQ(hub.device("linked").at("status"), Json("online"));
  EXPECT_EQ(agent.stop(), 0);
  EXPECT_EQ(hub.stop(), 0);
}

}  // namespace
}  // namespace starling::e2e
