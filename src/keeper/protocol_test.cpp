#include "keeper/protocol.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace starling::keeper {
namespace {

using namespace std::literals;
using testing::HasSubstr;

SpawnRequest full_request() {
  return {.id = "recorder:7",
          .executable = "/opt/recorder/bin/recorder",
          .arguments = {"--rate", "16000", "", "a=b", "two\nlines"},
          .environment = {"HOME=/", "EMPTY="},
          .folder = "/var/lib/recorder",
          .uid = 1000,
          .gid = 1001,
          .groups = {29, 4'294'967'294},
          .nice = -5,
          .oom_score_adj = 500,
          .limit_nofile = 256,
          .limit_core_bytes = 0,
          .limit_as_bytes = 18'446'744'073'709'551'615u,
          .umask = 027,
          .cgroup = "/sys/fs/cgroup/starling/recorder",
          .notify = true,
          .mark = "made of this"};
}

HeldChild exited_child() {
  return {.id = "recorder:7",
          .pid = 4711,
          .start = 123'456'789'012,
          .state = ChildState::exited,
          .in_cgroup = true,
          .handles = {Handle::out, Handle::err, Handle::notify},
          .exit = Exit{.kind = ExitKind::dumped,
                       .status = 6,
                       .at = 9'000'000'000'000ns,
                       .user = 5s,
                       .system = 20ms,
                       .max_rss_kb = 4096},
          .mark = "made of this"};
}

TEST(KeeperProtocol, RequestsComeBackAsTheyWereSent) {
  const Request requests[] = {
      Hello{3},
      full_request(),
      SpawnRequest{.id = "x", .executable = "/bin/true"},
      SignalRequest{"x", 15, SignalScope::main},
      SignalRequest{"x", 9, SignalScope::group},
      NameMain{"x", 4711, 1u << 31},
      Forget{"x"},
      Healthy{},
      Stopping{310'000},
      Watch{120'000},
      List{},
  };
  for (const Request& request : requests) {
    const auto packet = encode(request);
    ASSERT_TRUE(packet) << packet.error().message;
    const auto parsed = parse_request(*packet);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, request) << *packet;
  }
}

TEST(KeeperProtocol, ReportsComeBackAsTheyWereSent) {
  const HeldChild running{.id = "x", .pid = 2, .start = 3, .handles = {Handle::out, Handle::err}};
  const Report reports[] = {
      Welcome{.version = 2, .keeper_pid = 1, .starts = 4, .crashes = 2, .unrecorded = 1},
      ChildListed{exited_child()},
      ChildListed{HeldChild{.id = "x", .pid = 5, .start = 7, .leader = 2, .leader_start = 3}},
      ChildListed{HeldChild{.id = "x", .pid = 2, .start = 3, .state = ChildState::starting}},
      Listed{},
      Spawned{running},
      SpawnFailed{"x", SpawnStep::exec, 2},
      SpawnFailed{"no id at all", SpawnStep::request, 22},
      SignalFailed{"x", 3},
      MainTaken{"x", 5, 7},
      MainRefused{"x", 5, 3},
      Exited{"x", 2, Exit{.kind = ExitKind::killed, .status = 9}},
      Stop{},
      Unsupported{"dance"},
      Problem{"it does not work"},
  };
  for (const Report& report : reports) {
    const auto packet = encode(report);
    ASSERT_TRUE(packet) << packet.error().message;
    const auto parsed = parse_report(*packet);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, report) << *packet;
  }
}

TEST(KeeperProtocol, EveryStepHasAName) {
  for (int step = 0; step <= static_cast<int>(SpawnStep::exec); ++step) {
    const Report report = SpawnFailed{"x", static_cast<SpawnStep>(step), 1};
    EXPECT_EQ(parse_report(*encode(report)), report);
  }
}

TEST(KeeperProtocol, WhatIsNewerIsIgnoredOrTold) {
  const auto request = parse_request("forget\0colour=blue\0id=x\0size=\0"sv);
  ASSERT_TRUE(request);
  EXPECT_EQ(*request, Request(Forget{"x"}));
  const auto unknown = parse_request("dance\0id=x"sv);
  ASSERT_TRUE(unknown);
  EXPECT_EQ(*unknown, Request(UnknownVerb{"dance"}));
  const auto report = parse_report("sung"sv);
  ASSERT_TRUE(report);
  EXPECT_EQ(*report, Report(UnknownVerb{"sung"}));
}

TEST(KeeperProtocol, MalformedRequestsAreRefused) {
  struct Case {
    std::string_view packet, why;
  };
  const Case cases[] = {
      {""sv, "no verb"},
      {"\0"sv, "no verb"},
      {"=x"sv, "no verb"},
      {"Forget\0id=x"sv, "no verb"},
      {"a_verb_that_is_longer_than_any_verb_can_be"sv, "no verb"},
      {"forget\0id"sv, "not key=value"},
      {"forget\0\0id=x"sv, "not key=value"},
      {"forget\0=x"sv, "not key=value"},
      {"forget"sv, "id is missing"},
      {"forget\0id="sv, "id is not"},
      {"forget\0id=../x"sv, "id is not"},
      {"forget\0id=.x"sv, "id is not"},
      {"signal\0id=x\0signal=9"sv, "scope"},
      {"signal\0id=x\0signal=9\0scope=world"sv, "scope"},
      {"signal\0id=x\0signal=nine\0scope=main"sv, "signal"},
      {"signal\0id=x\0signal=99999999999\0scope=main"sv, "signal"},
      {"signal\0id=x\0signal=\0scope=main"sv, "signal"},
      {"main\0id=x\0start=3"sv, "pid"},
      {"main\0id=x\0pid=4"sv, "start"},
      {"main\0id=x\0pid=4\0start=-1"sv, "start"},
      {"hello"sv, "version"},
      {"watch"sv, "within_ms"},
      {"watch\0within_ms=-1"sv, "within_ms"},
  };
  for (const Case& c : cases) {
    const auto parsed = parse_request(c.packet);
    ASSERT_FALSE(parsed) << c.packet;
    EXPECT_THAT(parsed.error().message, HasSubstr(c.why)) << c.packet;
  }
  EXPECT_EQ(parse_request(std::string(max_packet_bytes + 1, 'x')).error().code, ErrorCode::too_large);
}

TEST(KeeperProtocol, ASpawnWithAWrongFieldStillKnowsItsId) {
  const std::string_view fields[] = {"nice=a"sv,     "uid=4294967295"sv, "gid=4294967295"sv,
                                     "uid=-1"sv,     "group=x"sv,        "umask=8"sv,
                                     "umask=7777"sv, "exec=true"sv,      "limit_as=1e6"sv};
  for (const std::string_view field : fields) {
    const auto parsed = parse_request("spawn\0id=x\0"s + std::string(field) + "\0exec=/bin/true"s);
    ASSERT_TRUE(parsed) << field;
    ASSERT_TRUE(std::holds_alternative<BadSpawn>(*parsed)) << field;
    EXPECT_EQ(std::get<BadSpawn>(*parsed).id, "x");
    EXPECT_THAT(std::get<BadSpawn>(*parsed).message,
                HasSubstr(std::string(field.substr(0, field.find('=')))));
  }
}

TEST(KeeperProtocol, WhatCannotBeSaidIsNotSent) {
  SpawnRequest nul = full_request();
  nul.arguments.push_back("a\0env=LD_PRELOAD=x"s);
  const auto refused = encode(Request(nul));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("arg"));

  SpawnRequest large = full_request();
  large.environment.emplace_back(max_packet_bytes, 'x');
  EXPECT_EQ(encode(Request(large)).error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace starling::keeper
