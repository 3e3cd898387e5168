#include "keeper/command_line.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace starling::keeper {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<CommandLine> parse(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words)
    arguments.push_back(word.data());
  return parse_command_line(arguments);
}

TEST(KeeperCommandLine, TakesOptionsAndTheAgentsCommand) {
  const auto line = parse({"--state", "/s", "--log-format=json", "--without", "clone3", "--without=pidfd",
                           "--", "agent", "--state", "/a", "--"});
  ASSERT_TRUE(line) << line.error().message;
  EXPECT_EQ(line->state, "/s");
  EXPECT_EQ(line->log_format, Log::Format::json);
  EXPECT_FALSE(line->features.clone3);
  EXPECT_FALSE(line->features.pidfd);
  EXPECT_TRUE(line->features.clone_into_cgroup);
  EXPECT_THAT(line->agent, ElementsAre("agent", "--state", "/a", "--"));
}

TEST(KeeperCommandLine, SaysWhatIsWrong) {
  struct Case {
    std::vector<std::string> words;
    const char* why;
  };
  const Case cases[] = {
      {{}, "--state"},
      {{"--state"}, "needs a value"},
      {{"--state", "/s"}, "AGENT"},
      {{"--state", "/s", "--"}, "AGENT"},
      {{"--state", "/s", "agent"}, "agent is no option"},
      {{"--log-format", "xml", "--", "agent"}, "xml"},
      {{"--without", "hope", "--", "agent"}, "hope"},
      {{"--", "agent"}, "--state"},
  };
  for (const Case& c : cases) {
    const auto line = parse(c.words);
    ASSERT_FALSE(line) << c.why;
    EXPECT_THAT(line.error().message, HasSubstr(c.why));
  }
}

TEST(KeeperCommandLine, HelpNeedsNothingElse) {
  EXPECT_TRUE(parse({"--help"})->shows_help);
  EXPECT_TRUE(parse({"--version"})->shows_version);
}

}  // namespace
}  // namespace starling::keeper
