#include "agent/supervisor/logs/log_readers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>

namespace starling::agent {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

struct LogReadersTest : testing::Test, Wakeup {
  LogReadersTest() { fs::create_directories(folder); }
  ~LogReadersTest() override { fs::remove_all(folder); }
  void deadlines_changed() override { ++wakeups; }

  std::vector<std::string> texts() const {
    std::vector<std::string> all;
    for (const protocol::LogLines& message : sent)
      for (const protocol::LogLine& line : message.lines)
        all.push_back(line.stream + " " + line.text);
    return all;
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    readers.tick();
  }

  fs::path folder = fs::temp_directory_path() / ("starling-readers-" + std::to_string(::getpid()));
  ManualClock clock;
  ModuleLog log{clock, folder / "m.log"};
  int wakeups = 0;
  std::vector<protocol::LogLines> sent;
  std::size_t unsent = 0;  // by a link that sends nothing by itself
  LogReaders readers{clock, *this, [this](std::string_view module) { return module == "m" ? &log : nullptr; },
                     [this](const protocol::LogLines& lines) {
                       sent.push_back(lines);
                       for (const protocol::LogLine& line : lines.lines)
                         unsent += line.text.size();
                     },
                     [this] { return unsent; }};
};

TEST_F(LogReadersTest, TellWhatWasWrittenLast) {
  log.bytes(LogStream::out, "one\ntwo\n");
  log.bytes(LogStream::err, "three\n");
  readers.follow({"a", "m", 2, false});
  EXPECT_THAT(texts(), ElementsAre("stdout two", "stderr three"));
  EXPECT_EQ(sent[0].lines[0].at_ms, clock.wall().time_since_epoch().count());
  EXPECT_TRUE(sent.back().ended);
  EXPECT_EQ(sent.back().message, "");
}

TEST_F(LogReadersTest, FollowInBunches) {
  readers.follow({"a", "m", 10, true});
  log.bytes(LogStream::out, "one\n");
  log.bytes(LogStream::out, "two\n");
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(wakeups, 2);
  ASSERT_TRUE(readers.next_deadline());
  pass(LogReaders::pause);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_THAT(texts(), ElementsAre("stdout one", "stdout two"));
  EXPECT_FALSE(sent[0].ended);
  readers.stop("a");
  log.bytes(LogStream::out, "three\n");
  pass(LogReaders::pause);
  EXPECT_EQ(sent.size(), 1u);
  EXPECT_FALSE(readers.next_deadline());
}

TEST_F(LogReadersTest, AFloodIsBounded) {
  readers.follow({"a", "m", 10, true});
  const std::string line = std::string(1000, 'x') + "\n";
  for (int i = 0; i < 900; ++i)
    log.bytes(LogStream::out, line);
  pass(LogReaders::pause);
  EXPECT_GT(sent.size(), 1u) << "more than fits into one message";
  EXPECT_THAT(texts().back(), HasSubstr("left out"));
  std::size_t bytes = 0;
  for (const std::string& text : texts())
    bytes += text.size();
  EXPECT_LT(bytes, LogReaders::waiting_bytes + 8 * 1024);
}

TEST_F(LogReadersTest, WaitForALinkThatIsSlow) {
  constexpr int count = 16;
  for (int i = 0; i < count; ++i)
    readers.follow({"r" + std::to_string(i), "m", 0, i % 2 == 0});
  const std::string line = std::string(1000, 'x') + "\n";
  for (int i = 0; i < 2'000; ++i) {
    log.bytes(LogStream::out, line);
    if (i % 100 == 0) pass(LogReaders::pause);
  }
  constexpr std::size_t most = LogReaders::link_bytes + LogReaders::message_bytes;
  EXPECT_LE(unsent, most);
  ASSERT_TRUE(readers.next_deadline()) << "they look again by themselves";
  int rounds = 0;
  for (; std::exchange(unsent, 0) > 0 && rounds < 1'000; ++rounds) {
    pass(LogReaders::pause);
    EXPECT_LE(unsent, most);
  }
  EXPECT_LT(rounds, 1'000);
  pass(Seconds(60));  // the log has room again
  log.bytes(LogStream::out, "the last\n");
  pass(LogReaders::pause);
  std::map<std::string, std::vector<std::string>> by_reader;
  for (const protocol::LogLines& message : sent)
    for (const protocol::LogLine& one : message.lines)
      by_reader[message.id].push_back(one.text);
  ASSERT_EQ(by_reader.size(), count / 2u);
  for (const auto& [id, texts] : by_reader) {
    EXPECT_EQ(texts.back(), "the last") << id;
    EXPECT_THAT(texts, testing::Contains(HasSubstr("lines are left out"))) << id;
  }
}

TEST_F(LogReadersTest, TakeTurnsOnASlowLink) {
  for (const char* id : {"a", "b", "c", "d"})
    readers.follow({id, "m", 0, true});
  const std::string line = std::string(1000, 'x') + "\n";
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 300; ++i)
      log.bytes(LogStream::out, line);
    pass(LogReaders::pause);
    pass(Seconds(60));  // the log has room again
    unsent = 0;
  }
  std::set<std::string> told;
  for (const protocol::LogLines& message : sent)
    told.insert(message.id);
  EXPECT_EQ(told.size(), 4u);
}

TEST_F(LogReadersTest, AnEndWaitsForWhatIsBeforeIt) {
  log.bytes(LogStream::out, "one\n");
  unsent = LogReaders::link_bytes;
  readers.follow({"a", "m", 1, false});
  EXPECT_TRUE(sent.empty());
  unsent = 0;
  pass(LogReaders::pause);
  EXPECT_THAT(texts(), ElementsAre("stdout one"));
  EXPECT_TRUE(sent.back().ended);
  EXPECT_FALSE(readers.next_deadline());
}

TEST_F(LogReadersTest, SayWhyThereIsNothing) {
  readers.follow({"a", "nobody", 10, true});
  EXPECT_TRUE(sent.back().ended);
  EXPECT_THAT(sent.back().message, HasSubstr("'nobody'"));
  for (std::size_t i = 0; i <= LogReaders::max_readers; ++i)
    readers.follow({"r" + std::to_string(i), "m", 0, true});
  EXPECT_TRUE(sent.back().ended) << "the last one is too many";
  readers.stop_all();
  log.bytes(LogStream::out, "one\n");
  EXPECT_FALSE(readers.next_deadline());
}

TEST(LogLines, AreReadAsTheyWereWritten) {
  const protocol::LogLine line = parse_log_line("1970-01-02T00:00:01.500Z err a b");
  EXPECT_EQ(line.at_ms, 86'401'500);
  EXPECT_EQ(line.stream, "stderr");
  EXPECT_EQ(line.text, "a b");
  for (const char* torn : {"", " ", "torn", "1970-01-02T00:00:01.500Z", "9999-99-99T00:00:00.000Z out x"})
    EXPECT_EQ(parse_log_line(torn).stream, "note") << torn;
}

}  // namespace
}  // namespace starling::agent
