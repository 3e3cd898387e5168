// The hub as its users meet it: over sockets, on a real database, stopped and started again.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "base/build_folders.hpp"
#include "base/files.hpp"
#include "base/http/client.hpp"
#include "base/tls.hpp"
#include "base/ws/client.hpp"
#include "hub/server.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

struct Answer {
  int status = 0;
  Json body;
};

// A hub on a thread of its own, as a process would be.
class RunningHub {
 public:
  explicit RunningHub(ServerSettings settings)
      : log_(clock_, -1), server_(with_port(std::move(settings)), clock_, log_) {
    log_.set_level(LogLevel::error);
    thread_ = std::thread([this] { run(); });
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return port_ || outcome_; });
  }
  ~RunningHub() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return port_.value_or(0); }
  const std::optional<Result<void>>& outcome() const { return outcome_; }

 private:
  static ServerSettings with_port(ServerSettings settings) {
    settings.port = 0;
    settings.handle_signals = false;
    settings.components = source_folder() / "components";
    return settings;
  }
  void run() {
    auto outcome = server_.run([this](std::uint16_t port) {
      const std::lock_guard guard(mutex_);
      port_ = port;
      changed_.notify_all();
    });
    const std::lock_guard guard(mutex_);
    outcome_ = std::move(outcome);
    changed_.notify_all();
  }

  SystemClock clock_;
  Log log_;
  Server server_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::uint16_t> port_;
  std::optional<Result<void>> outcome_;
};

asio::awaitable<void> call_into(http::Client& client, http::Client::Call call, Answer& answer) {
  const auto response = co_await client.call(std::move(call));
  if (!response) {
    ADD_FAILURE() << response.error().message;
    co_return;
  }
  answer.status = response->status;
  if (const auto json = parse_json(response->body)) answer.body = *json;
}

asio::awaitable<void> events_into(http::Client& client, http::Client::Call call, std::size_t count,
                                  std::vector<http::Client::Event>& events) {
  const std::function<bool(const http::Client::Event&)> sink = [&](const http::Client::Event& event) {
    if (event.name == "change") events.push_back(event);
    return events.size() < count;
  };
  const auto ended = co_await client.events(std::move(call), sink);
  EXPECT_TRUE(ended) << ended.error().message;
}

class HubServer : public testing::Test {
 protected:
  static constexpr const char* key = "the-admin-key-of-the-tests";

  void start() {
    ServerSettings settings;
    settings.data = folder_.path();
    settings.bootstrap_admin_key = key;
    hub_.emplace(settings);
    ASSERT_NE(hub_->port(), 0) << hub_->outcome()->error().message;
  }
  void restart() {
    hub_.reset();
    start();
  }
  std::string origin(const char* scheme = "http") const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(hub_->port());
  }
  http::Client::Call call(http::Method method, std::string target, std::string body = {}) const {
    http::Client::Call made;
    made.method = method;
    made.target = std::move(target);
    made.body = std::move(body);
    made.headers.add("X-API-Key", key);
    return made;
  }
  Answer ask(http::Method method, std::string target, std::string body = {}) {
    asio::io_context context;
    http::Client client(context.get_executor(), *http::Url::parse(origin()), {});
    Answer answer;
    asio::co_spawn(context, call_into(client, call(method, std::move(target), std::move(body)), answer),
                   asio::detached);
    context.run();
    return answer;
  }
  std::vector<http::Client::Event> read_events(std::size_t count, const std::string& last_id) {
    asio::io_context context;
    http::Client client(context.get_executor(), *http::Url::parse(origin()), {});
    auto request = call(http::Method::get, "/api/v1/stream?since=0&snapshot=false");
    if (!last_id.empty()) request.headers.add("Last-Event-ID", last_id);
    std::vector<http::Client::Event> events;
    asio::co_spawn(context, events_into(client, std::move(request), count, events), asio::detached);
    context.run();
    return events;
  }
  void write(int first, int last) {
    for (int value = first; value <= last; ++value) {
      const std::string body = R"({"values":{"hotword.cooldown":)" + std::to_string(value) + "}}";
      ASSERT_EQ(ask(http::Method::put, "/api/v1/settings", body).status, 200);
    }
  }

  TemporaryFolder folder_;
  std::optional<RunningHub> hub_;
};

TEST_F(HubServer, KeepsEverythingAcrossARestart) {
  start();
  EXPECT_EQ(ask(http::Method::get, "/readyz").status, 200);
  const std::string id = "00000000-0000-7000-8000-000000000001";
  EXPECT_EQ(ask(http::Method::post, "/api/v1/devices/register",
                R"({"device_uuid":")" + id + R"(","device_name":"bear"})")
                .status,
            201);
  write(1, 3);
  const Answer before = ask(http::Method::get, "/api/v1/fleet");
  restart();
  EXPECT_EQ(ask(http::Method::get, "/api/v1/fleet").body, before.body) << "revision and generation too";
  EXPECT_EQ(ask(http::Method::get, "/api/v1/devices/" + id).body.at("device_name"), Json("bear"));
}

TEST_F(HubServer, TheStreamResumesAcrossARestartWithoutLossOrRepeat) {
  start();
  write(1, 20);
  const auto head =
      static_cast<std::size_t>(ask(http::Method::get, "/api/v1/fleet").body.at("revision").as_int64());
  auto events = read_events(head - 5, {});
  ASSERT_EQ(events.size(), head - 5);
  restart();
  const auto rest = read_events(5, events.back().id);
  events.insert(events.end(), rest.begin(), rest.end());
  ASSERT_EQ(events.size(), head);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto change = parse_json(events[i].data);
    ASSERT_TRUE(change);
    EXPECT_EQ(change->at("revision").as_int64(), static_cast<std::int64_t>(i + 1));
  }
}

TEST_F(HubServer, FirstStartWritesAKeyThatOnlyItsOwnerCanRead) {
  ServerSettings settings;
  settings.data = folder_.path() / "new" / "data";
  RunningHub hub(settings);
  ASSERT_NE(hub.port(), 0);
  struct stat status {};
  const auto file = settings.data / "admin.key";
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_TRUE(read_file(file, 200)->starts_with("sk_"));
}

TEST_F(HubServer, TwoHubsNeverShareAFolder) {
  start();
  ServerSettings settings;
  settings.data = folder_.path();
  RunningHub second(settings);
  ASSERT_TRUE(second.outcome());
  EXPECT_EQ(second.outcome()->error().code, ErrorCode::failed_precondition);
}

// A client written from the documents: it hears the flat payload and says nothing.
class PlainDevice final : public ws::Session {
 public:
  PlainDevice(std::vector<Json>& heard, std::size_t count) : heard_(heard), count_(count) {}
  void on_open(ws::Peer& peer) override { peer_ = &peer; }
  void on_text(std::string_view text) override {
    const auto message = parse_json(text);
    if (message) heard_.push_back(*message);
    if (heard_.size() == count_) peer_->close(ws::CloseCode::normal, "enough");
  }
  void on_close(ws::CloseCode, std::string_view) override {}

 private:
  std::vector<Json>& heard_;
  std::size_t count_;
  ws::Peer* peer_ = nullptr;
};

asio::awaitable<void> link_into(http::Url url, ws::ConnectOptions options,
                                std::unique_ptr<ws::Session> session, Result<void>& outcome) {
  outcome = co_await ws::run_client(std::move(url), std::move(options), std::move(session));
}

TEST_F(HubServer, APlainDeviceGetsItsSettingsUnderTheirAliases) {
  start();
  const std::string id = "00000000-0000-7000-8000-000000000001";
  const Answer made = ask(http::Method::post, "/api/v1/devices/register", R"({"device_uuid":")" + id + "\"}");
  write(77, 77);
  const auto connect = [&](const std::string& token) {
    asio::io_context context;
    ws::ConnectOptions options;
    options.headers.add("Authorization", "Bearer " + token);
    options.headers.add("X-Device-ID", id);
    std::vector<Json> heard;
    Result<void> outcome;
    asio::co_spawn(context,
                   link_into(*http::Url::parse(origin("ws") + "/ws"), std::move(options),
                             std::make_unique<PlainDevice>(heard, 1), outcome),
                   asio::detached);
    context.run();
    return std::pair(outcome, heard);
  };
  const auto [outcome, heard] = connect(std::string(made.body.at("token").as_string()));
  ASSERT_TRUE(outcome) << outcome.error().message;
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].at("type"), Json("config_update"));
  EXPECT_EQ(heard[0].at("payload").at("HOTWORD_COOLDOWN"), Json(77));

  const auto [with_key, heard_with_key] = connect(key);
  EXPECT_EQ(heard_with_key.size(), 1u) << "an operator's key and X-Device-ID do too";
  const auto [refused, nothing] = connect("dt_wrong");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unauthenticated);
}

TEST_F(HubServer, ServesWithTheOperatorsCertificate) {
  const http::TlsIdentity identity = make_self_signed_identity("127.0.0.1");
  ServerSettings settings;
  settings.data = folder_.path() / "data";
  settings.bootstrap_admin_key = key;
  settings.tls.certificate = folder_.path() / "certificate.pem";
  settings.tls.private_key = folder_.path() / "key.pem";
  ASSERT_TRUE(write_file_durably(settings.tls.certificate, identity.certificate_pem));
  ASSERT_TRUE(write_file_durably(settings.tls.private_key, identity.private_key_pem));
  hub_.emplace(settings);
  ASSERT_NE(hub_->port(), 0);
  asio::io_context context;
  const auto pin = pin_of_certificate(identity.certificate_pem);
  ASSERT_TRUE(pin);
  http::Client client(context.get_executor(), *http::Url::parse(origin("https")), {{*pin}});
  Answer answer;
  asio::co_spawn(context, call_into(client, call(http::Method::get, "/api/v1/fleet"), answer),
                 asio::detached);
  context.run();
  EXPECT_EQ(answer.status, 200);
}

}  // namespace
}  // namespace starling::hub
