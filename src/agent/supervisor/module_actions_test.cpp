#include "agent/supervisor/module_actions.hpp"

#include <gmock/gmock.h>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class ModuleActionsTest : public SupervisorFixture {
 protected:
  void SetUp() override {
    write_module("broken", "exec = 1\n");
    write_module("good", "exec = \"/bin/true\"\n");
    write_module("other", "exec = \"/bin/true\"\nrequires = [\"broken\"]\n");
    start();
  }
  std::optional<Result<JsonObject>> run(ActionRunner& runner, std::string_view parameters) {
    protocol::Action action;
    action.parameters = parse_json(parameters)->get_object();
    std::optional<Result<JsonObject>> answer;
    runner.run(action, [&answer](Result<JsonObject> result) { answer = std::move(result); });
    return answer;
  }
  void expect_refused(ActionRunner& runner, std::string_view parameters, ErrorCode code) {
    SCOPED_TRACE(parameters);
    const auto answer = run(runner, parameters);
    ASSERT_TRUE(answer);
    ASSERT_FALSE(*answer);
    EXPECT_EQ(answer->error().code, code) << answer->error().message;
  }
};

TEST_F(ModuleActionsTest, ACommandIsAnsweredOnceItHasSettled) {
  ModuleCommandRunner runner(*supervisor);
  const auto stopped = run(runner, R"({"module":"good","command":"stop"})");
  ASSERT_TRUE(stopped && *stopped);
  EXPECT_EQ((*stopped)->at("state"), Json("disabled"));
  protocol::Action start;
  start.parameters = {{"module", "good"}, {"command", "start"}};
  std::optional<Result<JsonObject>> answer;
  runner.run(start, [&answer](Result<JsonObject> result) { answer = std::move(result); });
  EXPECT_FALSE(answer) << "its process is asked for";
  const auto overtaken = run(runner, R"({"module":"good","command":"stop"})");
  ASSERT_TRUE(answer);
  ASSERT_FALSE(*answer);
  EXPECT_EQ(answer->error().code, ErrorCode::conflict);
}

TEST_F(ModuleActionsTest, ACommandThatCannotBeCarriedOutSaysWhy) {
  ModuleCommandRunner runner(*supervisor);
  expect_refused(runner, "{}", ErrorCode::invalid_argument);
  expect_refused(runner, R"({"module":"good"})", ErrorCode::invalid_argument);
  expect_refused(runner, R"({"module":1,"command":"start"})", ErrorCode::invalid_argument);
  expect_refused(runner, R"({"module":"none","command":"start"})", ErrorCode::not_found);
  expect_refused(runner, R"({"module":"broken","command":"restart"})", ErrorCode::failed_precondition);
  expect_refused(runner, R"({"module":"other","command":"start"})", ErrorCode::unavailable);
  for (const char* not_here : {"enable", "disable", "Start", ""}) {  // these are settings
    expect_refused(runner, R"({"module":"good","command":")" + std::string(not_here) + "\"}",
                   ErrorCode::invalid_argument);
  }
}

TEST_F(ModuleActionsTest, LogsAreOfAllOrOfThoseThatAreNamed) {
  CollectLogsRunner runner(*supervisor);
  supervisor->log_of("good").bytes(LogStream::out, "hello\n");
  const auto all = run(runner, "{}");
  ASSERT_TRUE(all && *all);
  const JsonObject& logs = (*all)->at("logs").as_object();
  EXPECT_EQ(logs.size(), 3u);
  EXPECT_THAT(std::string(logs.at("good").as_string()), HasSubstr(" out hello\n"));
  EXPECT_EQ(logs.at("broken"), Json(""));
  const auto one = run(runner, R"({"modules":["good"]})");
  ASSERT_TRUE(one && *one);
  EXPECT_EQ((*one)->at("logs").as_object().size(), 1u);
  const auto none = run(runner, R"({"modules":[]})");
  ASSERT_TRUE(none && *none);
  EXPECT_TRUE((*none)->at("logs").as_object().empty());
}

TEST_F(ModuleActionsTest, LogsThatCannotBeCollectedSayWhy) {
  CollectLogsRunner runner(*supervisor);
  expect_refused(runner, R"({"modules":"good"})", ErrorCode::invalid_argument);
  expect_refused(runner, R"({"modules":[1]})", ErrorCode::invalid_argument);
  expect_refused(runner, R"({"modules":["good","none"]})", ErrorCode::not_found);
  expect_refused(runner, R"({"modules":["../agent"]})", ErrorCode::not_found);
  expect_refused(runner, R"({"max_bytes":"many"})", ErrorCode::invalid_argument);
}

TEST_F(ModuleActionsTest, LogsFitAMessageWhateverIsInThem) {
  CollectLogsRunner runner(*supervisor);
  for (const char* module : {"good", "other"}) {
    for (int i = 0; i < 100; ++i) {
      clock.advance(Seconds(1));
      supervisor->log_of(module).bytes(LogStream::out, std::string(8'000, i % 2 == 0 ? '"' : '\\') + "\n");
    }
  }
  for (const char* parameters : {"{}", R"({"modules":["good"]})", R"({"max_bytes":9223372036854775807})"}) {
    const auto collected = run(runner, parameters);
    ASSERT_TRUE(collected && *collected);
    protocol::ActionResult result;
    result.id = std::string(64, 'x');
    result.result = **collected;
    const std::string message = protocol::encode(result);
    EXPECT_GT(message.size(), 100'000u);
    EXPECT_LT(message.size(), protocol::max_device_message_bytes) << parameters;
  }
  for (const auto& [parameters, most] :
       {std::pair(R"({"max_bytes":1000})", 1'000u), std::pair(R"({"max_bytes":0})", 1u),
        std::pair(R"({"max_bytes":-5})", 1u)}) {
    const auto little = run(runner, parameters);
    ASSERT_TRUE(little && *little);
    std::size_t bytes = 0;
    for (const auto& module : (*little)->at("logs").as_object())
      bytes += module.value().as_string().size();
    EXPECT_LE(bytes, most) << parameters;
  }
}

}  // namespace
}  // namespace starling::agent
