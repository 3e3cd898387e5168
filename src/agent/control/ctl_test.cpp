#include "agent/control/ctl.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <future>
#include <sstream>
#include <utility>

#include "agent/control/control_server.hpp"
#include "base/file_descriptor.hpp"
#include "base/json_text.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

using testing::HasSubstr;

// Its exit status, and what it complained of.
std::pair<int, std::string> ran_ctl(std::vector<std::string> words, Milliseconds patience) {
  words.insert(words.begin(), "ctl");
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  testing::internal::CaptureStderr();
  const int status = run_ctl(static_cast<int>(argv.size()), argv.data(), patience);
  return {status, testing::internal::GetCapturedStderr()};
}

// What is left of an agent that was stopped: its socket takes whoever comes, as long as there is room.
class HungAgent : public testing::Test {
 protected:
  void listen(int backlog) {
    socket_ = FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_ / ControlServer::socket_name;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(socket_.number(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(socket_.number(), backlog), 0);
  }
  std::pair<int, std::string> ctl(std::vector<std::string> words) const {
    words.insert(words.begin(), {"--state", folder_.path().string()});
    return ran_ctl(std::move(words), patience_);
  }

  TemporaryFolder folder_;
  FileDescriptor socket_;
  Milliseconds patience_{20};
};

TEST_F(HungAgent, NoCommandWaitsForIt) {
  listen(64);
  const std::vector<std::vector<std::string>> commands{{"module", "list"},
                                                       {"module", "show", "ear"},
                                                       {"module", "enable", "ear"},
                                                       {"module", "disable", "ear"},
                                                       {"module", "start", "ear"},
                                                       {"module", "stop", "ear"},
                                                       {"module", "restart", "ear"},
                                                       {"module", "act", "ear", "x"},
                                                       {"module", "logs", "ear"},
                                                       {"module", "logs", "ear", "-f"},
                                                       {"journal"},
                                                       {"journal", "-f"},
                                                       {"update"},
                                                       {"update", "check"}};
  for (const auto& command : commands) {
    const auto [status, error] = ctl(command);
    SCOPED_TRACE(testing::PrintToString(command));
    EXPECT_EQ(status, 1);
    EXPECT_THAT(error, HasSubstr("the agent at " + folder_.path().string() + " does not answer"));
    EXPECT_THAT(error, HasSubstr(ctl_command(folder_.path(), "doctor")));
  }
}

TEST_F(HungAgent, NorToGetThrough) {
  listen(0);
  for (int i = 0; i < 3; ++i)  // the first ones fill the room that there is
    EXPECT_THAT(ctl({"module", "list"}).second, HasSubstr("does not answer"));
}

// One that answers each request with these lines and then closes, and ends when it has none left.
class EndingAgent : public HungAgent {
 protected:
  EndingAgent() { patience_ = Seconds(60); }
  ~EndingAgent() override { ::shutdown(socket_.number(), SHUT_RDWR); }  // it waits no longer, if it does
  void answer(std::vector<std::string> answers) {
    listen(64);
    agent_ = std::async(std::launch::async, [this, answers = std::move(answers)] {
      for (const std::string& lines : answers) {
        const FileDescriptor asked(::accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC));
        char request[4096];
        EXPECT_GT(::recv(asked.number(), request, sizeof(request), 0), 0);
        EXPECT_EQ(::send(asked.number(), lines.data(), lines.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(lines.size()));
      }
    });
  }

  static constexpr auto pong = "{\"ok\":true}\n";
  static constexpr auto line = "{\"line\":\"TIME out hello\"}\n";

 private:
  std::future<void> agent_;
};

TEST_F(EndingAgent, IsToldToWhoFollows) {
  answer({pong, line, pong, ""});
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"module", "logs", "ear", "-f"}, {"journal", "-f"}}) {
    const auto [status, error] = ctl(words);
    EXPECT_EQ(status, 1);
    EXPECT_THAT(error, HasSubstr("the agent ended, or tells nothing more"));
    EXPECT_THAT(error,
                HasSubstr(ctl_command(folder_.path(),
                                      words.front() == "journal" ? "journal -f" : "module logs ear -f")));
  }
}

TEST_F(EndingAgent, WhoDoesNotFollowHasAllThereIs) {
  answer({line, ""});
  EXPECT_EQ(ctl({"module", "logs", "ear"}), std::pair(0, std::string()));
  EXPECT_EQ(ctl({"journal"}), std::pair(0, std::string()));
}

TEST_F(EndingAgent, ALogWithoutALineSaysSo) {
  answer({"", ""});
  EXPECT_EQ(ctl({"module", "logs", "ear"}), std::pair(0, std::string("(ear has written nothing yet)\n")));
  EXPECT_EQ(ctl({"module", "logs", "ear", "-n", "0"}), std::pair(0, std::string())) << "none is wanted";
}

TEST_F(EndingAgent, SaysOnceWhyAReleaseIsRefused) {
  const auto said = parse_json(R"({"ok":true,"update":{"state":"refused","release":"v1.0.0","wanted":"v2.0.0",
      "failure":{"message":"python ended with 1: ERROR","at_ms":1795843200000},
      "last_failed":{"release":"v2.0.0","became":"refused","message":"python ended with 1: ERROR",
                     "at_ms":1795843200000},
      "refused":[{"sha256":"ab","became":"refused","message":"python ended with 1: ERROR","at_ms":1795843200000},
                 {"sha256":"cd","became":"reverted","message":"3 crashes","at_ms":1795843200000}]}})");
  ASSERT_TRUE(said);
  answer({json_text(*said) + "\n"});
  testing::internal::CaptureStdout();
  EXPECT_EQ(ctl({"update"}).first, 0);
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_EQ(text.find("ERROR"), text.rfind("ERROR")) << text;
  EXPECT_THAT(text,
              HasSubstr("last failed  v2.0.0 refused as above\nrefused      ab as above\nreverted     cd "));
  EXPECT_THAT(text, HasSubstr(" 3 crashes\n"));
}

TEST_F(EndingAgent, AListSaysWhyEachModuleDoesNotRun) {
  const struct {
    std::string_view module, why;
  } cases[] = {
      {R"("enabled":false,"state":"disabled","cause":"disabled")", ""},
      {R"("enabled":true,"state":"disabled","cause":"stopped")", "stopped"},
      {R"("enabled":true,"state":"disabled","cause":"none")", "stopped"},
      {R"("enabled":true,"state":"disabled","cause":"finished","manifest_note":"x")", "its work is done"},
      {R"("enabled":true,"state":"disabled","cause":"stopped","waits_for":"waits for 'bus'")",
       "waits for 'bus'"},
      {R"("enabled":true,"state":"crashed","detail":"exit status 78")",
       "exit status 78; not tried again until it is started or changed"},
      {R"("enabled":true,"state":"error","detail":"not ready","next_retry":"2026-01-01T00:00:00Z")",
       "not ready; tried again in 0 s"},
      {R"("enabled":true,"state":"idle","cause":"ready","status":"hears")", "hears"},
  };
  std::string modules;
  for (const auto& c : cases)
    modules += fmt::format("{}{{\"name\":\"ear\",{}}}", modules.empty() ? "" : ",", c.module);
  answer({"{\"ok\":true,\"modules\":[" + modules + "]}\n"});
  testing::internal::CaptureStdout();
  EXPECT_EQ(ctl({"module", "list"}).first, 0);
  std::istringstream text(testing::internal::GetCapturedStdout());
  std::string row;
  std::getline(text, row);
  const std::size_t why = row.find("WHY");
  for (const auto& c : cases) {
    ASSERT_TRUE(std::getline(text, row)) << c.module;
    EXPECT_EQ(row.substr(why), c.why) << c.module;
  }
}

TEST(Ctl, ACommandCanBePastedWhateverTheFolderIsCalled) {
  EXPECT_EQ(ctl_command("/var/lib/starling-agent", "module list"),
            "starling-agent ctl --state /var/lib/starling-agent module list");
  EXPECT_EQ(ctl_command("/home/ann/it's here", "doctor"),
            "starling-agent ctl --state '/home/ann/it'\\''s here' doctor");
}

TEST(Ctl, SaysWhatWasMeantByAMistypedCommand) {
  const struct {
    std::vector<std::string> words;
    std::string_view message;
  } cases[] = {
      {{"--state", "DIR", "modul", "list"},
       "no command 'modul'; did you mean 'module'?\n  See: starling-agent ctl --help\n"},
      {{"--state", "DIR", "module", "enabel", "ear"},
       "no command 'enabel'; did you mean 'enable'?\n  See: starling-agent ctl module --help\n"},
      {{"module", "enabel", "ear"}, "did you mean 'enable'?"},
      {{"--state", "DIR", "update", "chekc"},
       "did you mean 'check'?\n  See: starling-agent ctl update --help\n"},
      {{"--state", "DIR", "nothing-like-it"},
       "no command 'nothing-like-it'\n  See: starling-agent ctl --help\n"},
      {{"module", "list"}, "--state is required\n  See: starling-agent ctl module list --help\n"},
  };
  for (const auto& c : cases) {
    const auto [status, error] = ran_ctl(c.words, Milliseconds(20));
    EXPECT_EQ(status, 2) << testing::PrintToString(c.words);
    EXPECT_THAT(error, HasSubstr(c.message));
  }
}

TEST(Ctl, SaysWhichCommandLinesThereAre) {
  EXPECT_TRUE(check_ctl({"--state", "DIR", "module", "logs", "ear"}));
  EXPECT_EQ(check_ctl({"--state", "DIR", "logs", "ear"}).error().code, ErrorCode::invalid_argument);
  EXPECT_FALSE(check_ctl({"--state", "DIR", "module", "show"}));
}

}  // namespace
}  // namespace starling::agent
