// A whole agent on a real disk and real sockets, against a hub that does as it is told.
#include "agent/agent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "agent/settings_bench.hpp"
#include "base/http/server.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FakeHub final : public http::Handler {
 public:
  boost::asio::awaitable<http::Response> serve(const http::Request& request) override {
    registrations.push_back(request);
    if (refuse_registration) {
      const Error refusal{ErrorCode::permission_denied, "this key does not enrol devices", ""};
      co_return http::problem_response(refusal);
    }
    const Json body{{"device", JsonObject{}}, {"token", "secret"}, {"heartbeat_seconds", 300}};
    co_return http::json_response(body, 201);
  }
  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request& request) override {
    if (refuse_registration) {
      return http::problem_response({ErrorCode::unauthenticated, "no such device", ""});
    }
    upgrades.push_back(request);
    return std::make_unique<Link>(*this);
  }

  void send(const protocol::FromHub& message) { link->peer->send_text(protocol::encode(message)); }
  template <typename Message>
  const Message* last() const {
    for (auto message = received.rbegin(); message != received.rend(); ++message) {
      if (const auto* found = std::get_if<Message>(&*message)) return found;
    }
    return nullptr;
  }
  bool running(const Digest& hash) const {
    const auto* status = last<protocol::ConfigStatus>();
    return status != nullptr && status->running == hash;
  }

  struct Link final : ws::Session {
    explicit Link(FakeHub& h) : hub(h) {}
    void on_open(ws::Peer& p) override {
      peer = &p;
      hub.link = this;
      hub.send(protocol::Challenge{"nonce"});
    }
    void on_text(std::string_view text) override {
      auto message = protocol::decode_from_device(text);
      ASSERT_TRUE(message) << message.error().message << text;
      const bool greeted = std::holds_alternative<protocol::Handshake>(*message);
      hub.received.push_back(std::move(*message));
      if (greeted) hub.send(protocol::Welcome{1'700'000'000'000, 300, "g1", 1, "", ""});
    }
    void on_close(ws::CloseCode, std::string_view) override {
      if (hub.link == this) hub.link = nullptr;
    }
    FakeHub& hub;
    ws::Peer* peer = nullptr;
  };

  bool refuse_registration = false;
  std::vector<http::Request> registrations, upgrades;
  std::vector<protocol::FromDevice> received;
  Link* link = nullptr;
};

struct AgentTest : testing::Test {
  void SetUp() override {
    fs::create_directories(folder / "components");
    for (const auto& [name, component] : catalog.components()) {
      std::ofstream(folder / "components" / (name + ".json")) << boost::json::serialize(component->file());
    }
    auto listening = http::Server::listen(context.get_executor(), clock, Logger(), hub, {});
    ASSERT_TRUE(listening);
    server = std::move(*listening);
    server->start();
  }
  void TearDown() override {
    if (agent) stop_agent();
    run(server->stop());
  }

  Result<void> load() {
    AgentOptions options;
    options.state = folder / "state";
    options.components = folder / "components";
    options.hub.host = "127.0.0.1";
    options.hub.port = server->port();
    options.enrolment_key = "enrol-me";
    options.name = "bear";
    options.timezone = "Europe/Berlin";
    options.first_backoff = Milliseconds(20);
    Board board;
    board.serial = "board-1";
    board.device_type = "test-board";
    auto loaded = Agent::load(context.get_executor(), clock, log, std::move(options), board);
    if (!loaded) return fail(loaded);
    agent = std::move(*loaded);
    return {};
  }
  void start_agent() {
    const auto loaded = load();
    ASSERT_TRUE(loaded) << loaded.error().message;
    const auto started = agent->start([](Agent::End) {});
    ASSERT_TRUE(started) << started.error().message;
  }
  void stop_agent() {
    run(agent->stop());
    agent.reset();
  }
  void run(asio::awaitable<void> task) {
    bool done = false;
    asio::co_spawn(context, std::move(task), [&done](const std::exception_ptr&) { done = true; });
    until([&done] { return done; });
  }
  void until(const std::function<bool()>& condition) {
    const SteadyTime deadline = clock.steady() + Seconds(30);
    while (!condition() && clock.steady() < deadline) {
      context.run_one_for(Milliseconds(50));
    }
    ASSERT_TRUE(condition());
  }
  std::string read(const fs::path& path) const {
    std::ifstream file(folder / "state" / path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  asio::io_context context{1};
  SystemClock clock;
  Log log{clock, STDERR_FILENO};
  protocol::Catalog catalog = test_catalog();
  const TemporaryFolder made;
  const fs::path folder = made.path();
  FakeHub hub;
  std::unique_ptr<http::Server> server;
  std::unique_ptr<Agent> agent;
};

TEST_F(AgentTest, EnrolsConnectsAppliesAndKeepsIt) {
  start_agent();
  until([this] { return hub.last<protocol::Heartbeat>() != nullptr; });
  ASSERT_EQ(hub.registrations.size(), 1u);
  const http::Request& registration = hub.registrations[0];
  EXPECT_EQ(registration.path, "/api/v1/devices/register");
  EXPECT_EQ(registration.headers.find("Authorization"), "Bearer enrol-me");
  EXPECT_EQ(registration.headers.find("X-Device-Type"), "test-board");
  const JsonObject body = parse_json(registration.body)->get_object();
  EXPECT_EQ(body.at("device_name"), Json("bear"));
  EXPECT_EQ(body.at("serial"), Json("board-1"));
  const http::Request& upgrade = hub.upgrades.at(0);
  EXPECT_EQ(upgrade.path, protocol::link_path);
  EXPECT_EQ(upgrade.headers.find("Authorization"), "Bearer secret");
  EXPECT_EQ(upgrade.headers.find("X-Device-ID"), std::string_view(body.at("device_uuid").get_string()));
  EXPECT_EQ(upgrade.headers.find(protocol::protocol_header), "1");

  const auto update = make_update(catalog, 2, {{"logger.level", "ERROR"}});
  hub.send(update);
  until([&] { return hub.running(update.hash); });
  EXPECT_EQ(log.level(), LogLevel::error);
  EXPECT_EQ(read("config_override.json"), "{\n  \"LOG_LEVEL\": \"ERROR\"\n}\n");

  stop_agent();
  hub.received.clear();
  start_agent();
  until([this] { return hub.last<protocol::Handshake>() != nullptr; });
  EXPECT_EQ(hub.registrations.size(), 1u);
  EXPECT_EQ(hub.last<protocol::Handshake>()->sections.at(0).applied, update.hash);
  EXPECT_EQ(hub.last<protocol::Handshake>()->epoch.start, 2);
}

TEST_F(AgentTest, RunsWithoutAComponentFileThatCannotBeUsedAndSaysSo) {
  fs::create_directories(folder / "state/components");
  std::ofstream(folder / "state/components/lamp.json") << "{";
  start_agent();
  until([this] { return hub.last<protocol::Heartbeat>() != nullptr; });
  const Json* alerts = hub.last<protocol::Heartbeat>()->reported.if_contains("alerts");
  ASSERT_NE(alerts, nullptr);
  EXPECT_THAT(std::string(alerts->at(0).at("text").as_string()),
              testing::HasSubstr("state/components/lamp.json"));
  EXPECT_TRUE(hub.last<protocol::Handshake>()->components.contains("logger"));
}

TEST_F(AgentTest, ComesBackAfterALostConnection) {
  start_agent();
  until([this] { return hub.last<protocol::Heartbeat>() != nullptr; });
  hub.link->peer->abort();
  until([this] { return hub.upgrades.size() >= 2; });
}

TEST_F(AgentTest, KeepsTryingWhenItIsNotEnrolled) {
  hub.refuse_registration = true;
  start_agent();
  until([this] { return hub.registrations.size() >= 3; });
  hub.refuse_registration = false;
  until([this] { return hub.last<protocol::Heartbeat>() != nullptr; });
}

TEST_F(AgentTest, AHandEditOfTheOverrideFileGoesUpAsAProposal) {
  start_agent();
  until([this] { return hub.last<protocol::Heartbeat>() != nullptr; });
  std::ofstream(folder / "state/config_override.json") << R"({"HOTWORD_THRESHOLD": 0.9})";
  until([this] { return hub.last<protocol::ConfigPropose>() != nullptr; });
  EXPECT_EQ(hub.last<protocol::ConfigPropose>()->edits.at(0).key, "hotword.threshold");
  EXPECT_EQ(hub.last<protocol::ConfigPropose>()->edits.at(0).to, Json(0.9));
}

TEST_F(AgentTest, ItsFolderBelongsToOneAgent) {
  start_agent();
  std::unique_ptr<Agent> first = std::move(agent);
  const auto second = load();
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another process"));
  agent = std::move(first);
}

// A module on the real socket, line by line.
struct LineModule {
  explicit LineModule(const fs::path& path) : handle(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(::connect(handle, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  ~LineModule() { ::close(handle); }
  void send(std::string_view line) {
    EXPECT_EQ(::send(handle, line.data(), line.size(), MSG_NOSIGNAL), static_cast<ssize_t>(line.size()));
  }
  bool closed() {
    take();
    return ended;
  }
  std::string take() {
    char chunk[4096];
    ssize_t count = 0;
    while ((count = ::recv(handle, chunk, sizeof(chunk), 0)) > 0) {
      text.append(chunk, static_cast<std::size_t>(count));
    }
    ended = ended || count == 0;
    return text;
  }
  int handle;
  std::string text;
  bool ended = false;
};

TEST_F(AgentTest, AsksModulesOnItsSocket) {
  start_agent();
  const fs::path socket = folder / "state/agent.sock";
  struct stat status {};
  ASSERT_EQ(::stat(socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  until([this] { return hub.last<protocol::Heartbeat>() != nullptr; });
  LineModule module(socket);
  module.send("{\"type\":\"hello\",\"name\":\"m\",");  // a line may come in pieces
  module.send("\"protocol\":1,\"components\":[\"hotword\"]}\n");
  until([&] { return module.take().find("\"settings\"") != std::string::npos; });
  const auto update = make_update(catalog, 2, {{"hotword.models", {"missing"}}});
  hub.send(update);
  until([&] { return module.take().find("\"prepare\"") != std::string::npos; });
  const std::string question = module.text.substr(module.text.find('\n') + 1);
  const std::string hash(parse_json(question.substr(0, question.find('\n')))->at("hash").get_string());
  module.send("{\"type\":\"prepared\",\"hash\":\"" + hash +
              "\",\"ok\":false,\"errors\":[{\"key\":\"hotword.models\",\"message\":\"no such file\"}]}\n");
  until([&] {
    const auto* answer = hub.last<protocol::ConfigStatus>();
    return answer != nullptr && answer->phase == protocol::Phase::refused;
  });
  EXPECT_EQ(hub.last<protocol::ConfigStatus>()->errors.at(0).key, "hotword.models");
  EXPECT_EQ(read("config_override.json"), "{}\n");
}

TEST_F(AgentTest, EndsModulesThatMisbehaveAndGoesOn) {
  start_agent();
  const fs::path socket = folder / "state/agent.sock";
  LineModule garbage(socket);
  garbage.send("\x01\x02{]\n");
  until([&] { return garbage.closed(); });
  EXPECT_THAT(garbage.text, HasSubstr("\"refused\""));
  LineModule good(socket);
  good.send("{\"type\":\"hello\",\"name\":\"m\",\"protocol\":1,\"components\":[\"logger\"]}\n");
  until([&] { return good.take().find("logger.level") != std::string::npos; });
}

}  // namespace
}  // namespace starling::agent
