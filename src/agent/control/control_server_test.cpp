#include "agent/control/control_server.hpp"

#include <gmock/gmock.h>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ControlServerTest : public SupervisorFixture {
 protected:
  ~ControlServerTest() override { finish(server->stop()); }

  void start_server() {
    write_module("broken", "exec = 1\n");  // each start is two transitions, and no process
    write_module("good", "exec = \"/bin/true\"\n");
    start();
    server = std::make_unique<ControlServer>(context.get_executor(), *supervisor, Logger());
    ASSERT_TRUE(server->start(path));
  }

  // Somebody at the socket.
  struct Client {
    FileDescriptor socket;
    std::string text;
    bool ended = false;
  };
  Client connect() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    Client client{FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), "",
                  false};
    EXPECT_EQ(::connect(client.socket.number(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return client;
  }
  Client ask(std::string_view request) {
    Client client = connect();
    write(client, std::string(request) + "\n");
    return client;
  }
  void write(Client& client, std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(client.socket.number(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return;  // it has been left
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
      turn();
    }
  }
  void read(Client& client) {
    turn();
    char piece[4096];
    ssize_t got = 0;
    while ((got = ::recv(client.socket.number(), piece, sizeof piece, 0)) > 0)
      client.text.append(piece, static_cast<std::size_t>(got));
    if (got == 0 || errno != EAGAIN) client.ended = true;
  }
  std::vector<JsonObject> lines(const Client& client) const {
    std::vector<JsonObject> objects;
    std::istringstream text(client.text);
    for (std::string line; std::getline(text, line);) {
      const auto json = parse_json(line);
      EXPECT_TRUE(json && json->is_object()) << line;
      if (json && json->is_object()) objects.push_back(json->get_object());
    }
    return objects;
  }
  std::vector<JsonObject> answers(Client client) {
    eventually([&] { return read(client), client.ended; });
    return lines(client);
  }
  std::vector<JsonObject> answers(std::string_view request) { return answers(ask(request)); }
  void transitions(int count) {
    for (int i = 0; i < count; i += 2)
      supervisor->command("broken", ModuleCommand::start, {});
  }
  static std::int64_t number_of(const JsonObject& line) {
    return line.contains("transition") ? line.at("transition").at("number").to_number<std::int64_t>() : -1;
  }

  const std::filesystem::path path = folder / "control.sock";
  std::unique_ptr<ControlServer> server;
};

TEST_F(ControlServerTest, RefusesWhatItCannotCarryOut) {
  start_server();
  const struct {
    std::string request;
    const char* code;
    const char* message;
  } cases[] = {
      {"", "invalid_argument", "one line with a JSON object"},
      {"list", "invalid_argument", "one line with a JSON object"},
      {"[1]", "invalid_argument", "one line with a JSON object"},
      {"{\"request\":\"list\"", "invalid_argument", "one line with a JSON object"},
      {"{\"request\":\"list\"} {}", "invalid_argument", "one line with a JSON object"},
      {std::string("{\"request\":\"li\0st\"}", 19), "invalid_argument", "one line with a JSON object"},
      {"\xff\xfe", "invalid_argument", "one line with a JSON object"},
      {std::string(9'000, '[') + std::string(7'000, ']'), "invalid_argument", "one line with a JSON object"},
      {"{}", "invalid_argument", "request"},
      {R"({"request":7})", "invalid_argument", "request"},
      {R"({"request":"dance"})", "invalid_argument", "no request 'dance'"},
      {R"({"request":"show"})", "invalid_argument", "module"},
      {R"({"request":"show","module":"none"})", "not_found", "no module is called 'none'"},
      {R"({"request":"show","module":"../../x"})", "not_found", "no module"},
      {R"({"request":"command","module":"Good","command":"enable"})", "not_found",
       "no module is called 'Good'; did you mean good?\n  The name of a module has a-z, 0-9, _ and -,"},
      {R"({"request":"command","module":"good","command":"dance"})", "invalid_argument", "is no command"},
      {R"({"request":"command","module":"good"})", "invalid_argument", "command"},
      {R"({"request":"command","module":"broken","command":"start"})", "failed_precondition", "exec"},
      {R"({"request":"act","module":"good","action":"x","parameters":3})", "invalid_argument", "parameters"},
      {R"({"request":"act","module":"good","action":"x"})", "failed_precondition",
       "module 'good' is not running (disabled): 'module start good' starts it"},
      {R"({"request":"logs","module":"good","lines":"all"})", "invalid_argument", "lines"},
      {R"({"request":"journal","after":"now"})", "invalid_argument", "after"},
      {R"({"request":"journal","follow":1})", "invalid_argument", "follow"},
      {R"({"request":"journal","journal":1})", "invalid_argument", "journal"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.request.substr(0, 80));
    const auto said = answers(one.request);
    ASSERT_THAT(said, SizeIs(1));
    EXPECT_EQ(said[0].at("ok"), Json(false));
    EXPECT_EQ(said[0].at("code"), Json(one.code));
    EXPECT_THAT(std::string(said[0].at("message").as_string()), HasSubstr(one.message));
  }
}

TEST_F(ControlServerTest, ALineThatIsTooLongIsToldSo) {
  start_server();
  Client client = connect();
  write(client, std::string(ControlServer::max_request_bytes + 1, 'x'));
  const auto said = answers(std::move(client));
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].at("code"), Json("too_large"));
}

TEST_F(ControlServerTest, ARequestMayComeInPieces) {
  start_server();
  Client client = connect();
  for (const char letter : std::string(R"({"request":"list"})") + "\n")
    write(client, std::string(1, letter));
  const auto said = answers(std::move(client));
  ASSERT_THAT(said, SizeIs(1));
  EXPECT_EQ(said[0].at("modules").as_array().size(), 2u);
}

TEST_F(ControlServerTest, OneThatSaysNothingOrGoesAwayIsLeft) {
  start_server();
  Client silent = connect();
  { Client gone = connect(); }
  {
    Client half = connect();
    write(half, "{\"request\":");
  }
  { Client follower = ask(R"({"request":"journal","follow":true})"); }
  turn();
  transitions(2);
  EXPECT_THAT(answers(R"({"request":"list"})"), SizeIs(1));
  read(silent);
  EXPECT_FALSE(silent.ended);
}

TEST_F(ControlServerTest, AFollowerHearsEachTransitionOnce) {
  start_server();
  transitions(6);
  Client follower = ask(R"({"request":"journal","after":2,"follow":true})");
  Client late = ask(R"({"request":"journal","after":6,"follow":true})");
  turn();
  transitions(4);
  eventually([&] { return read(follower), lines(follower).size() >= 8; });
  eventually([&] { return read(late), lines(late).size() >= 4; });
  transitions(2);
  eventually([&] { return read(follower), lines(follower).size() >= 10; });
  std::vector<std::int64_t> numbers, late_numbers;
  for (const JsonObject& line : lines(follower))
    numbers.push_back(number_of(line));
  for (const JsonObject& line : lines(late))
    late_numbers.push_back(number_of(line));
  EXPECT_THAT(numbers, ElementsAre(3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
  EXPECT_THAT(late_numbers, ElementsAre(7, 8, 9, 10));
  EXPECT_FALSE(follower.ended);
}

TEST_F(ControlServerTest, WhatIsNoLongerKeptIsToldAsAGap) {
  start_server();
  constexpr int kept = TransitionJournal::default_capacity;
  transitions(kept + 10);
  for (const char* after : {"3", "100000", "9223372036854775807"}) {  // too old; of an earlier agent
    SCOPED_TRACE(after);
    const auto said = answers(R"({"request":"journal","after":)" + std::string(after) + "}");
    ASSERT_THAT(said, SizeIs(kept + 1));
    EXPECT_EQ(said[0].at("gap"), Json(true));
    EXPECT_EQ(number_of(said[1]), 11);
    EXPECT_EQ(number_of(said.back()), kept + 10);
  }
  const auto whole = answers(R"({"request":"journal","after":10})");
  ASSERT_THAT(whole, SizeIs(kept));
  EXPECT_EQ(number_of(whole[0]), 11);
  EXPECT_THAT(answers(R"({"request":"journal","after":-1})"), SizeIs(kept + 1)) << "from the beginning";
  EXPECT_THAT(answers(R"({"request":"journal","after":)" + std::to_string(kept + 10) + "}"), IsEmpty());
}

TEST_F(ControlServerTest, WhatAnEarlierAgentToldIsAGapHoweverMuchThisOneHasToTell) {
  start_server();
  transitions(6);
  const std::string former(
      answers(R"({"request":"journal","after":4})").at(0).at("transition").at("journal").as_string());
  finish(server->stop());
  end_agent();
  start();
  server = std::make_unique<ControlServer>(context.get_executor(), *supervisor, Logger());
  ASSERT_TRUE(server->start(path));
  transitions(8);
  const auto said = answers(R"({"request":"journal","after":6,"journal":")" + former + "\"}");
  ASSERT_THAT(said, SizeIs(supervisor->journal().newest() + 1)) << "all of it";
  ASSERT_GT(supervisor->journal().newest(), 6u);
  EXPECT_EQ(said[0].at("gap"), Json(true));
  EXPECT_NE(said[0].at("journal"), Json(former));
  EXPECT_EQ(number_of(said[1]), 1);
  const std::string present(said[0].at("journal").as_string());
  EXPECT_THAT(answers(R"({"request":"journal","after":6,"journal":")" + present + "\"}"),
              SizeIs(supervisor->journal().newest() - 6));
}

TEST_F(ControlServerTest, AFollowerThatDoesNotReadIsToldAndLeft) {
  start_server();
  Client slow = ask(R"({"request":"logs","module":"good","follow":true})");
  turn();
  const std::string line(8'000, 'x');
  ModuleLog& module_log = supervisor->log_of("good");
  for (int i = 0; i < 400; ++i) {
    clock.advance(Seconds(1));  // below the limit of what a module may write
    module_log.bytes(LogStream::out, line + "\n");
  }
  turn();
  EXPECT_THAT(answers(R"({"request":"list"})"), SizeIs(1)) << "the others are served";
  const auto heard = answers(std::move(slow));
  ASSERT_GT(heard.size(), 10u);
  EXPECT_EQ(heard.back().at("code"), Json("too_large"));
  EXPECT_LT(heard.size(), 400u);
}

TEST_F(ControlServerTest, FollowersThatNeverReadKeepNobodyOut) {
  start_server();
  std::vector<Client> followers;
  for (std::size_t i = 0; i < ControlServer::max_connections; ++i) {
    const bool journal = i % 2 == 0;
    followers.push_back(ask(journal ? R"({"request":"journal","follow":true})"
                                    : R"({"request":"logs","module":"good","follow":true})"));
    turn();
  }
  EXPECT_THAT(answers(R"({"request":"list"})"), SizeIs(1));
  const auto refused = answers(std::move(followers.back()));
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused[0].at("code"), Json("unavailable"));
  EXPECT_THAT(std::string(refused[0].at("message").as_string()), HasSubstr("follow already"));

  const std::string line(8'000, 'x');
  for (int i = 0; i < 300; ++i) {
    clock.advance(Seconds(1));  // below the limit of what a module may write
    supervisor->log_of("good").bytes(LogStream::out, line + "\n");
    turn();
  }
  Client late = ask(R"({"request":"journal","follow":true})");
  turn();
  transitions(2);
  eventually([&] { return read(late), lines(late).size() >= 2; });
  EXPECT_FALSE(late.ended) << "it has the place of one that has been left";
}

TEST_F(ControlServerTest, TheOneThatIsIdleLongestMakesRoom) {
  start_server();
  std::vector<Client> silent;
  for (std::size_t i = 0; i < ControlServer::max_connections; ++i) {
    silent.push_back(connect());
    turn();
  }
  EXPECT_THAT(answers(R"({"request":"list"})"), SizeIs(1));
  for (std::size_t i = 0; i < 3; ++i)
    read(silent[i]);
  EXPECT_TRUE(silent[0].ended);
  EXPECT_FALSE(silent[1].ended) << "no more than needed";
  write(silent[2], "{\"request\":\"list\"}\n");
  EXPECT_THAT(answers(std::move(silent[2])), SizeIs(1));
}

TEST_F(ControlServerTest, WhoWaitsForAnAnswerIsNotIdle) {
  write_module("slow", "exec = 'run'\nready_after = '10s'\n");
  start_server();
  std::vector<Client> waiting;
  waiting.push_back(ask(R"({"request":"command","module":"slow","command":"start"})"));
  turn();
  for (std::size_t i = 1; i < ControlServer::max_connections + 3; ++i) {
    waiting.push_back(connect());
    turn();
  }
  for (std::size_t i = 0; i < 5; ++i)
    read(waiting[i]);
  EXPECT_FALSE(waiting[0].ended);
  EXPECT_TRUE(waiting[1].ended && waiting[2].ended && waiting[3].ended);
  EXPECT_FALSE(waiting[4].ended);
}

TEST_F(ControlServerTest, FollowersEndWithTheServer) {
  start_server();
  Client journal = ask(R"({"request":"journal","follow":true})");
  Client logs = ask(R"({"request":"logs","module":"good","follow":true})");
  turn();
  finish(server->stop());
  transitions(2);
  supervisor->log_of("good").bytes(LogStream::out, "nobody listens\n");
  EXPECT_THAT(answers(std::move(journal)), IsEmpty());
  EXPECT_THAT(answers(std::move(logs)), IsEmpty());
}

}  // namespace
}  // namespace starling::agent
