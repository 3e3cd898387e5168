#include "base/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

#include "base/json.hpp"

namespace starling {
namespace {

class LogTest : public testing::Test {
 protected:
  LogTest() { EXPECT_EQ(pipe2(pipe_.data(), O_NONBLOCK), 0); }
  ~LogTest() override {
    close(pipe_[0]);
    close(pipe_[1]);
  }
  std::string written() {
    std::string text(8192, '\0');
    const ssize_t got = read(pipe_[0], text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }
  std::array<int, 2> pipe_{};
  ManualClock clock_;
};

TEST_F(LogTest, JsonLinesHoldTheFieldsInOrder) {
  Log log(clock_, pipe_[1]);  // a pipe is no terminal
  Logger(log, "hub").info("device \"enrolled\"", {{"device", "d-1"}, {"count", 3}, {"on", true}, {"x", 0.5}});
  EXPECT_EQ(written(), R"({"time":"2024-10-04T00:00:00.000Z","level":"info","part":"hub",)"
                       R"("message":"device \"enrolled\"","device":"d-1","count":3,"on":true,"x":0.5})"
                       "\n");
}

TEST_F(LogTest, TextIsAlignedAndQuotedWhereNeeded) {
  Log log(clock_, pipe_[1], LogFormat::text);
  clock_.advance(Milliseconds(1234));
  Logger(log, "hub.link").warning("device\nlost", {{"name", "Baby Toy"}, {"id", "d1"}, {"why", ""}});
  EXPECT_EQ(written(), "00:00:01.234 WARN  hub.link     device lost  name=\"Baby Toy\" id=d1 why=\"\"\n");
  Logger(log, "api").info("ready");
  EXPECT_EQ(written(), "00:00:01.234 INFO  api          ready\n");
}

TEST_F(LogTest, HostileTextCannotForgeALine) {
  Log log(clock_, pipe_[1], LogFormat::json);
  Logger(log, "hub").error("x", {{"input", std::string_view("a\n{\"level\":\"\x01\\\x7f", 14)}});
  const std::string line = written();
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(parse_json(line).value().at("input").as_string(), std::string("a\n{\"level\":\"\x01\\\x7f", 14));
}

TEST_F(LogTest, BytesThatAreNoTextStayReadable) {
  Log log(clock_, pipe_[1], LogFormat::json);
  Logger(log, "hub").info("k\xc3\xa4se", {{"bytes", std::string_view("a\xff\xc3z")}});
  const std::string line = written();
  EXPECT_TRUE(parse_json(line)) << line;
  EXPECT_NE(line.find("k\xc3\xa4se"), line.npos);
  EXPECT_NE(line.find("a\\u00ff\\u00c3z"), line.npos) << line;
}

TEST_F(LogTest, LevelsFilterAndCanChange) {
  Log log(clock_, pipe_[1]);
  const Logger logger(log, "hub");
  logger.debug("unseen");
  EXPECT_EQ(written(), "");
  log.set_level(parse_log_level("DEBUG").value());
  logger.debug("seen");
  EXPECT_NE(written(), "");
  Logger().error("a default-made logger writes nowhere");
  EXPECT_EQ(parse_log_level("Warning").value(), LogLevel::warning);
  EXPECT_EQ(parse_log_level("LOUD").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(to_string(LogLevel::error), "error");
}

}  // namespace
}  // namespace starling
