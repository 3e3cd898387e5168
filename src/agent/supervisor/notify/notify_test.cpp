#include "agent/supervisor/notify/notify.hpp"

#include <gtest/gtest.h>

#include "base/utf8.hpp"

namespace starling::agent {
namespace {

using Microseconds = NotifyMessage::Microseconds;

NotifyMessage parsed(std::string_view text) {
  const auto message = parse_notify(text);
  EXPECT_TRUE(message) << text;
  return message.value_or(NotifyMessage{});
}

TEST(Notify, ReadsEveryField) {
  const NotifyMessage message = parsed(
      "READY=1\nRELOADING=1\nSTOPPING=1\nBARRIER=1\nFDSTORE=1\nWATCHDOG=1\nX_STATE=recording\n"
      "STATUS=Listening on :1883\nMONOTONIC_USEC=12\nWATCHDOG_USEC=3000000\nEXTEND_TIMEOUT_USEC=5000000\n"
      "MAINPID=77\nERRNO=2\nEXIT_STATUS=78\n");
  EXPECT_TRUE(message.ready && message.reloading && message.stopping && message.barrier && message.fd_store);
  EXPECT_EQ(message.watchdog, NotifyWatchdog::alive);
  EXPECT_EQ(message.recording, NotifyRecording::recording);
  EXPECT_EQ(message.status, "Listening on :1883");
  EXPECT_EQ(message.reload_time, Microseconds(12));
  EXPECT_EQ(message.watchdog_time, Microseconds(3'000'000));
  EXPECT_EQ(message.extend_timeout, Microseconds(5'000'000));
  EXPECT_EQ(message.main_pid, 77);
  EXPECT_EQ(message.error_number, 2);
  EXPECT_EQ(message.exit_status, 78);
  EXPECT_EQ(message.problem, "");
}

TEST(Notify, IgnoresWhatItDoesNotKnow) {
  const NotifyMessage message = parsed("X_STARLING=7\n\nREADY=1");
  EXPECT_TRUE(message.ready);
  EXPECT_EQ(message.problem, "");
}

TEST(Notify, TakesATerminatingZeroByte) {
  EXPECT_TRUE(parsed(std::string_view("READY=1\0", 8)).ready);
}

TEST(Notify, AVeryLongTimeIsNever) {
  const NotifyMessage message = parsed("EXTEND_TIMEOUT_USEC=18446744073709551615");
  ASSERT_TRUE(message.extend_timeout);
  EXPECT_GT(*message.extend_timeout, std::chrono::hours(24 * 365));
}

TEST(Notify, LeavesOutWrongValuesAndSaysSo) {
  const struct {
    std::string_view text, problem;
  } cases[] = {
      {"READY=0", "sd_notify: READY=0 is ignored: only 1 has a meaning"},
      {"WATCHDOG=2", "sd_notify: WATCHDOG=2 is ignored: only 1 and trigger have a meaning"},
      {"X_STATE=busy", "sd_notify: X_STATE=busy is ignored: only idle and recording have a meaning"},
      {"MAINPID=0", "sd_notify: MAINPID=0 is ignored: a number from 1 to 2147483647 is needed"},
      {"MAINPID=-1", "sd_notify: MAINPID=-1 is ignored: a number from 1 to 2147483647 is needed"},
      {"MAINPID=99999999999",
       "sd_notify: MAINPID=99999999999 is ignored: a number from 1 to 2147483647 is needed"},
      {"ERRNO=x", "sd_notify: ERRNO=x is ignored: a number from 0 to 4095 is needed"},
      {"EXIT_STATUS=256", "sd_notify: EXIT_STATUS=256 is ignored: a number from 0 to 255 is needed"},
      {"WATCHDOG_USEC=", "sd_notify: WATCHDOG_USEC= is ignored: a number of microseconds is needed"},
      {"WATCHDOG_USEC=1s", "sd_notify: WATCHDOG_USEC=1s is ignored: a number of microseconds is needed"},
      {"hello\x1b[2J", "sd_notify: 'hello [2J' is ignored: NAME=VALUE is needed"},
  };
  for (const auto& c : cases) {
    const NotifyMessage message = parsed(std::string(c.text) + "\nSTATUS=kept");
    EXPECT_EQ(message.problem, c.problem);
    EXPECT_EQ(message.status, "kept") << c.text;
    EXPECT_FALSE(message.ready || message.main_pid || message.error_number || message.watchdog_time);
  }
}

TEST(Notify, RefusesWhatIsNoMessage) {
  EXPECT_EQ(parse_notify("").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(parse_notify(std::string_view("\0\0", 2)).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(parse_notify(std::string_view("A=\0B=1", 6)).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(parse_notify(std::string(max_notify_bytes + 1, 'x')).error().code, ErrorCode::too_large);
}

TEST(Notify, AStatusIsCutBetweenCharacters) {
  std::string status;
  while (status.size() < 2 * max_status_bytes)
    status += "\xe2\x99\xab";  // three bytes; the limit is no multiple of it
  const NotifyMessage message = parsed("STATUS=" + status);
  EXPECT_EQ(message.status->size(), max_status_bytes / 3 * 3);
  EXPECT_TRUE(is_utf8(*message.status));
}

}  // namespace
}  // namespace starling::agent
