#include "cli/watch.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/device_watch.hpp"
#include "cli/fake_hub.hpp"

namespace starling::cli {
namespace {

struct Sent {
  std::string name, id, data;
};

http::Response stream_of(std::vector<Sent> events, bool stays_open = false) {
  http::Response response;
  response.stream = [events = std::move(events), stays_open](std::shared_ptr<http::EventStream> stream) {
    for (const Sent& event : events)
      stream->send(event.name, event.id, event.data);
    if (!stays_open) stream->close();
  };
  return response;
}

// Keeps what it hears and stops after a number of events.
class Listener final : public StreamWatcher {
 public:
  explicit Listener(std::size_t enough) : enough_(enough) {}
  bool on_event(const StreamEvent& event) override {
    heard.push_back(event.name + " " + event.id + " " + event.data);
    return heard.size() < enough_;
  }
  std::vector<std::string> heard;

 private:
  std::size_t enough_;
};

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    Connection connection;
    connection.hub = hub_.address();
    api_ = ApiClient::open(connection, clock_).value();
    session_ = std::make_unique<Session>(Session{*api_, console_, clock_, Output::table});
    options_.first_delay = Milliseconds(1);
  }

  FakeHub hub_;
  SystemClock clock_;
  std::istringstream in_;
  std::ostringstream out_, err_;
  Console console_{in_, out_, err_, {}, {}};
  std::unique_ptr<ApiClient> api_;
  std::unique_ptr<Session> session_;
  WatchOptions options_;
};

TEST_F(WatchTest, GoesOnAfterTheLastEventSeen) {
  hub_.on("GET /api/v1/stream", stream_of({{"change", "g:5", "five"}, {"reported", "", "r"}}));
  hub_.on("GET /api/v1/stream", stream_of({}));
  hub_.on("GET /api/v1/stream", stream_of({{"change", "g:6", "six"}}, true));
  Listener listener(3);
  options_.since = 4;
  EXPECT_TRUE(watch_stream(*session_, options_, listener));
  EXPECT_EQ(listener.heard,
            (std::vector<std::string>{"change g:5 five", "reported g:5 r", "change g:6 six"}));
  const auto asked = hub_.asked();
  ASSERT_EQ(asked.size(), 3U);
  EXPECT_EQ(asked[0].line, "GET /api/v1/stream?since=4&snapshot=false");
  EXPECT_EQ(asked[0].last_event_id, "");
  EXPECT_EQ(asked[2].line, "GET /api/v1/stream?snapshot=false");
  EXPECT_EQ(asked[2].last_event_id, "g:5");
  EXPECT_NE(err_.str().find("connection to the hub was lost"), std::string::npos);
}

TEST_F(WatchTest, AResetForgetsTheOldPlace) {
  hub_.on("GET /api/v1/stream", stream_of({{"reset", "h:9", "{}"}}));
  hub_.on("GET /api/v1/stream", stream_of({{"change", "h:10", "ten"}}, true));
  Listener listener(1);
  options_.since = 4;
  EXPECT_TRUE(watch_stream(*session_, options_, listener));
  EXPECT_EQ(listener.heard, (std::vector<std::string>{"change h:10 ten"}));
  EXPECT_EQ(hub_.asked()[1].last_event_id, "h:9");
}

TEST_F(WatchTest, ARefusalEndsIt) {
  hub_.on("GET /api/v1/stream", R"({"status":401,"code":"unauthenticated","detail":"no key"})", 401);
  Listener listener(1);
  const auto watched = watch_stream(*session_, options_, listener);
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().code, ErrorCode::unauthenticated);
}

TEST_F(WatchTest, TicksStopAQuietStream) {
  class Ticking final : public StreamWatcher {
   public:
    bool on_event(const StreamEvent&) override { return true; }
    bool on_tick() override { return false; }
  };
  hub_.on("GET /api/v1/stream", stream_of({}, true));
  Ticking ticking;
  EXPECT_TRUE(watch_stream(*session_, options_, ticking));
}

TEST_F(WatchTest, DevicesAreKeptAsReported) {
  hub_.on("GET /api/v1/devices",
          std::string(R"({"items":[{"device_uuid":")") + bear +
              R"(","device_name":"bear-1","status":"offline","sync":{"status":"offline"}}]})");
  auto lookups = ApiClient::open(api_->connection(), clock_).value();
  DeviceWatch watch(*session_, {}, std::move(lookups));
  ASSERT_TRUE(watch.load());
  const std::string device = std::string(R"({"device":")") + bear + R"(",)";
  EXPECT_TRUE(watch.on_event({"reported", "", device + R"("status":"online","sync":"pending"})"}));
  EXPECT_TRUE(watch.on_event({"reported", "", device + R"("sync":{"status":"in_sync"}})"}));
  EXPECT_TRUE(watch.on_event({"reported", "", device + R"("status":"online"})"}));  // nothing new
  EXPECT_TRUE(watch.on_event({"reported", "", R"({"device":"another","status":"online"})"}));
  EXPECT_TRUE(watch.on_event({"reported", "", "no JSON"}));
  const std::string out = out_.str();
  EXPECT_NE(out.find("bear-1: online, pending\n"), std::string::npos) << out;
  EXPECT_NE(out.find("bear-1: online, in_sync\n"), std::string::npos) << out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 2);
}

TEST_F(WatchTest, ANewDeviceIsReadFromTheList) {
  hub_.on("GET /api/v1/devices", R"({"items":[]})");
  hub_.on("GET /api/v1/devices", std::string(R"({"items":[{"device_uuid":")") + bear +
                                     R"(","device_name":"bear-1","status":"offline"}]})");
  auto lookups = ApiClient::open(api_->connection(), clock_).value();
  ManualClock clock;
  Session session{*api_, console_, clock, Output::table};
  DeviceWatch watch(session, {}, std::move(lookups));
  ASSERT_TRUE(watch.load());
  clock.advance(Milliseconds(1'000));
  EXPECT_TRUE(watch.on_event({"change", "g:5", R"({"edits":[{"kind":"device","id":"x"}]})"}));
  EXPECT_TRUE(watch.on_tick());
  EXPECT_TRUE(watch.on_event(
      {"reported", "", std::string(R"({"device":")") + bear + R"(","status":"online","sync":"in_sync"})"}));
  EXPECT_NE(out_.str().find("bear-1: online, in_sync"), std::string::npos);
}

}  // namespace
}  // namespace starling::cli
