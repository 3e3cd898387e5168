#include "hub/api/fake_events.hpp"
#include "hub/api/linked_device.hpp"

namespace starling::hub {
namespace {

using protocol::LogFollow;
using protocol::LogLines;
using protocol::LogStop;

class ModuleLogsApi : public ApiTest {
 protected:
  ModuleLogsApi() { enrol(1, "bear", R"({"room":"nursery"})"); }

  std::string path(const std::string& query = "") {
    return "/api/v1/devices/" + uuid(1) + "/modules/recorder/logs" + query;
  }
  std::shared_ptr<FakeEvents> open(const std::string& query = "", const std::string& key = "") {
    auto answer = get_as(key.empty() ? admin_key : key, path(query));
    EXPECT_EQ(answer.status, 200) << answer.response.body;
    auto events = std::make_shared<FakeEvents>();
    if (answer.response.stream) answer.response.stream(events);
    settle();
    return events;
  }
  static LogLines lines(const std::string& id, const std::string& text) {
    return {id, {{1'700'000'000'000, "stdout", text}}, false, ""};
  }
};

TEST_F(ModuleLogsApi, LinesGoFromTheDeviceToTheReader) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  const auto events = open("?lines=20&follow=true");
  const auto follows = bear.peer.take_all<LogFollow>();
  ASSERT_EQ(follows.size(), 1u);
  EXPECT_EQ(follows[0].module, "recorder");
  EXPECT_EQ(follows[0].lines, 20);
  EXPECT_TRUE(follows[0].follow);
  bear.say(lines(follows[0].id, "hello"));
  bear.say(lines("another", "not for us"));
  ASSERT_EQ(events->events.size(), 1u);
  EXPECT_EQ(events->events[0].name, "log");
  EXPECT_EQ(events->events[0].data.at("lines").at(0).at("text"), Json("hello"));
  bear.say(LogLines{follows[0].id, {}, true, "the module is gone"});
  EXPECT_EQ(events->events.back().name, "end");
  EXPECT_EQ(events->events.back().data.at("message"), Json("the module is gone"));
  EXPECT_EQ(events->events.back().data.at("link_lost"), Json(false));
  EXPECT_TRUE(events->closed());
  api->tick();
  EXPECT_TRUE(bear.peer.take_all<LogStop>().empty()) << "the device knows";
}

TEST_F(ModuleLogsApi, WhoIsNotThereIsNotRead) {
  EXPECT_EQ(get(path()).status, 404) << "no such module has been seen there";
  {
    LinkedDevice bear(*this, uuid(1), {"recorder"});
    EXPECT_EQ(get("/api/v1/devices/" + uuid(1) + "/modules/player/logs").status, 404);
    EXPECT_EQ(get(path("?lines=5000")).status, 422);
    const std::string viewer = make_key_of(R"({"name":"v","role":"viewer"})");
    EXPECT_EQ(get_as(viewer, path()).status, 403);
    const auto events = open("?follow=true");
    bear.leave();
    EXPECT_EQ(events->events.back().name, "end");
    EXPECT_EQ(events->events.back().data.at("link_lost"), Json(true)) << "it may be back";
    EXPECT_TRUE(events->closed());
  }
  const auto offline = get(path());
  EXPECT_EQ(offline.status, 503) << offline.response.body;
}

TEST_F(ModuleLogsApi, OnlyAFewReadOneDevice) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  std::vector<std::shared_ptr<FakeEvents>> readers;
  for (int i = 0; i < 4; ++i)
    readers.push_back(open("?follow=true"));
  const auto fifth = open("?follow=true");
  EXPECT_TRUE(fifth->closed());
  EXPECT_EQ(fifth->events.back().name, "end");
  readers[0]->close();
  api->tick();
  EXPECT_EQ(bear.peer.take_all<LogStop>().size(), 1u);
  EXPECT_FALSE(open("?follow=true")->closed());
}

TEST_F(ModuleLogsApi, ASlowReaderIsCutWithANote) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  const auto events = open("?follow=true");
  const std::string id = bear.peer.take_all<LogFollow>().at(0).id;
  events->open_tap = false;
  for (int i = 0; i < 100 && !events->closed(); ++i)
    bear.say(lines(id, std::string(8'000, 'x')));
  EXPECT_TRUE(events->closed());
  EXPECT_EQ(events->events.back().name, "end");
  EXPECT_EQ(bear.peer.take_all<LogStop>().size(), 1u);
}

TEST_F(ModuleLogsApi, AChattyModuleDoesNotEndItsDevicesLink) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  const auto events = open("?follow=true");
  const std::string id = bear.peer.take_all<LogFollow>().at(0).id;
  for (int i = 0; i < 5'000; ++i)
    bear.say(lines(id, "x"));
  EXPECT_EQ(events->events.size(), 5'000u);
  EXPECT_FALSE(bear.peer.closed);
}

TEST_F(ModuleLogsApi, ARevokedKeyReadsNoMore) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  const std::string key = make_key_of(R"({"name":"o","role":"operator"})");
  const auto events = open("?follow=true", key);
  api->tick();
  EXPECT_FALSE(events->closed());
  const auto keys = get("/api/v1/keys").at("/items").get_array();
  for (const Json& each : keys) {
    if (each.at("name") == Json("o")) del("/api/v1/keys/" + std::string(each.at("id").as_string()));
  }
  api->tick();
  EXPECT_TRUE(events->closed());
}

}  // namespace
}  // namespace starling::hub
