#include <algorithm>

#include "hub/api/api_fixture.hpp"
#include "hub/api/fake_events.hpp"

namespace starling::hub {
namespace {

std::vector<std::int64_t> range(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> numbers;
  for (std::int64_t n = first; n <= last; ++n)
    numbers.push_back(n);
  return numbers;
}

class StreamApi : public ApiTest {
 protected:
  std::shared_ptr<FakeEvents> open(const std::string& query, const std::string& last_event_id = {},
                                   bool open_tap = true, std::string key = {}) {
    ApiFixture::Ask asked{key.empty() ? admin_key : key};
    if (!last_event_id.empty()) asked.headers.emplace_back("Last-Event-ID", last_event_id);
    auto answer = ask(http::Method::get, "/api/v1/stream" + query, "", asked);
    EXPECT_TRUE(answer.response.stream) << answer.response.body;
    auto events = std::make_shared<FakeEvents>();
    events->open_tap = open_tap;
    if (answer.response.stream) answer.response.stream(events);
    settle();
    return events;
  }
  void change(int count) {
    for (int i = 0; i < count; ++i) {
      put("/api/v1/settings", R"({"values":{"hotword.cooldown":)" + std::to_string(++value_) + "}}");
    }
    settle();
  }
  std::int64_t head() { return get("/api/v1/fleet").at("/revision").as_int64(); }

  int value_ = 0;
};

TEST_F(StreamApi, ResumesWithoutLossOrRepeatFromMemoryAndFromTheStore) {
  change(10);
  const auto from_start = open("?since=0&snapshot=false");
  EXPECT_EQ(from_start->revisions(), range(1, head()));
  change(3);
  EXPECT_EQ(from_start->revisions(), range(1, head()));
  const std::string last = from_start->events.back().id;
  from_start->close();
  change(2);
  const auto resumed = open("?since=0&snapshot=false", last);
  EXPECT_EQ(resumed->revisions(), range(head() - 1, head()));

  restart();
  const auto after_restart = open("", last);
  EXPECT_EQ(after_restart->revisions(), range(head() - 1, head())) << "now it is read from the store";
  change(1);
  EXPECT_EQ(after_restart->revisions(), range(head() - 2, head()));
  EXPECT_EQ(open("?snapshot=false")->events.size(), 0u) << "without a place it starts at the head";
}

TEST_F(StreamApi, ASlowClientIsWaitedForAndMissesNothing) {
  change(5);
  const auto slow = open("?since=0&snapshot=false", {}, false);
  std::size_t rounds = 0;
  while (slow->revisions().size() < static_cast<std::size_t>(head())) {
    ASSERT_LT(++rounds, 5'000u);
    if (rounds < 1'000) change(rounds % 100 == 0 ? 1 : 0);
    slow->drain();
    settle();
  }
  EXPECT_EQ(slow->revisions(), range(1, head()));
}

TEST_F(StreamApi, AnotherGenerationIsToldToStartAgain) {
  change(1);
  const auto events = open("?snapshot=false", "11111111-1111-4111-8111-111111111111:3");
  ASSERT_EQ(events->events.size(), 1u);
  EXPECT_EQ(events->events[0].name, "reset");
  EXPECT_EQ(events->events[0].data.at("revision"), Json(head()));
  const auto future = open("?since=99999&snapshot=false");
  EXPECT_EQ(future->events[0].name, "reset");
  EXPECT_EQ(ask(http::Method::get, "/api/v1/stream", "", {admin_key, {{"Last-Event-ID", "x:y"}}}).status,
            422);
  EXPECT_EQ(get("/api/v1/stream?since=-1").status, 422);
}

TEST_F(StreamApi, ReportedStateComesAsASnapshotThenTheNewestOnly) {
  for (int i = 1; i <= 100; ++i)
    enrol(i, "d" + std::to_string(i));
  const auto events = open("");
  auto seen = events->devices();
  EXPECT_EQ(seen.size(), 100u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  events->events.clear();
  for (int i = 0; i < 3; ++i) {
    for (const int device : {7, 8}) {
      ask_together(http::Method::post, "/api/v1/devices/" + uuid(device) + "/heartbeat", {""},
                   {{token_of(uuid(device))}});
    }
  }
  settle();
  seen = events->devices();
  EXPECT_GE(seen.size(), 2u);
  EXPECT_EQ(events->events.back().data.at("status"), Json("online"));
  EXPECT_EQ(events->events.back().id, "") << "reported state is no place in the log";
}

TEST_F(StreamApi, AStreamEndsWithItsKey) {
  const std::string for_a_day = make_key_of(R"({"name":"d","role":"viewer","expires_in_days":1})");
  const std::string for_ever = make_key_of(R"({"name":"e","role":"viewer"})");
  const auto ends = open("?snapshot=false", {}, true, for_a_day);
  const auto stays = open("?snapshot=false", {}, true, for_ever);
  clock.advance(std::chrono::hours(24) - Seconds(1));
  api->tick();
  EXPECT_FALSE(ends->closed());
  clock.advance(Seconds(1));
  api->tick();
  EXPECT_TRUE(ends->closed());
  EXPECT_FALSE(stays->closed());
}

TEST_F(StreamApi, ADeviceThatFallsSilentIsAnnouncedOnceAlsoAfterARestart) {
  const std::string id = enrol(1, "bear");
  const auto beat = [&] {
    ask(http::Method::post, "/api/v1/devices/" + id + "/heartbeat", "", {token_of(id)});
    settle();
  };
  const auto statuses_after = [&](FakeEvents& events, Seconds time) {
    events.events.clear();
    clock.advance(time);
    hub->tick();
    settle();
    std::vector<std::string> statuses;
    for (const Event& event : events.events)
      statuses.emplace_back(event.data.at("status").as_string());
    return statuses;
  };
  using Statuses = std::vector<std::string>;
  auto events = open("?snapshot=false");
  beat();
  EXPECT_EQ(statuses_after(*events, Seconds(700)), Statuses{});
  beat();
  EXPECT_EQ(statuses_after(*events, Seconds(700)), Statuses{}) << "it spoke meanwhile";
  EXPECT_EQ(statuses_after(*events, Seconds(49)), Statuses{});
  EXPECT_EQ(statuses_after(*events, Seconds(1)), Statuses{"offline"});
  EXPECT_EQ(statuses_after(*events, Seconds(5'000)), Statuses{}) << "once";

  beat();
  EXPECT_EQ(events->events.back().data.at("status"), Json("online"));
  ask(http::Method::patch, "/api/v1/devices/" + id + "/status", R"({"status":"offline"})", {token_of(id)});
  settle();
  EXPECT_EQ(statuses_after(*events, Seconds(800)), Statuses{}) << "it had said so itself";

  beat();
  hub->tick();
  settle();
  restart();
  events = open("?snapshot=false");
  EXPECT_EQ(statuses_after(*events, Seconds(749)), Statuses{});
  EXPECT_EQ(statuses_after(*events, Seconds(1)), Statuses{"offline"});

  beat();
  del("/api/v1/devices/" + id);
  settle();
  EXPECT_EQ(statuses_after(*events, Seconds(5'000)), Statuses{});
}

TEST_F(StreamApi, ARestrictedKeySeesItsDevicesAndItsChanges) {
  enrol(1, "bear", R"({"room":"nursery"})");
  enrol(2, "robot", R"({"room":"lab"})");
  const std::string key = make_key_of(R"({"name":"n","role":"viewer","selector":"room=nursery"})");
  const auto events = open("?since=0", {}, true, key);
  EXPECT_EQ(events->devices(), std::vector<std::string>{uuid(1)});
  for (const Event& event : events->events) {
    EXPECT_EQ(boost::json::serialize(event.data).find(uuid(2)), std::string::npos);
  }
  const auto keys = get("/api/v1/keys").at("/items").get_array();
  for (const Json& each : keys) {
    if (each.at("name") == Json("n")) del("/api/v1/keys/" + std::string(each.at("id").as_string()));
  }
  EXPECT_TRUE(events->closed()) << "a revoked key sees nothing more";
}

TEST_F(StreamApi, IdleStreamsArePinged) {
  const auto events = open("?snapshot=false");
  api->tick();
  clock.advance(Seconds(15));
  api->tick();
  EXPECT_GE(events->comments, 1);
  events->close();
  api->tick();
  EXPECT_NE(get("/metrics").response.body.find("starling_streams_open 0"), std::string::npos);
}

}  // namespace
}  // namespace starling::hub
