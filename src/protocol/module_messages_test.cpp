#include "protocol/module_messages.hpp"

#include <gtest/gtest.h>

#include <span>

namespace starling::protocol::module {
namespace {

const Digest one = sha256("one");

template <typename Variant>
struct Example {
  Variant message;
  std::string text;
};

TEST(FromModuleMessages, HaveTheDocumentedTextAndReadBack) {
  const std::string hash = '"' + one.hex() + '"';
  const std::vector<Example<FromModule>> examples{
      {Hello{"detector", 1, {"hotword"}, {"audio.sample_rate"}, {}, 5},
       R"({"type":"hello","name":"detector","protocol":1,"components":["hotword"],"keys":["audio.sample_rate"],"hash":"","prepare_seconds":5})"},
      {Prepared{one, true, {}}, R"({"type":"prepared","hash":)" + hash + R"(,"ok":true})"},
      {Prepared{one, false, {{"hotword.models", "no such file"}}},
       R"({"type":"prepared","hash":)" + hash +
           R"(,"ok":false,"errors":[{"key":"hotword.models","message":"no such file"}]})"},
      {Committed{one}, R"({"type":"committed","hash":)" + hash + "}"},
      {State{"recording", "to disk"}, R"({"type":"state","state":"recording","status":"to disk"})"},
      {Set{{{"HOTWORD_THRESHOLD", 0.25}}}, R"({"type":"set","values":{"HOTWORD_THRESHOLD":0.25}})"},
      {Report{"event", {{"woke", true}}}, R"({"type":"report","kind":"event","body":{"woke":true}})"},
      {ActionResult{"7", true, {{"file", "a.wav"}}, {}},
       R"({"type":"action_result","id":"7","ok":true,"result":{"file":"a.wav"}})"},
      {ActionResult{"8", false, {}, "it is recording already"},
       R"({"type":"action_result","id":"8","ok":false,"result":{},"message":"it is recording already"})"},
  };
  for (const auto& example : examples) {
    EXPECT_EQ(encode(example.message), example.text);
    const Result<FromModule> read = decode_from_module(example.text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->index(), example.message.index());
    EXPECT_EQ(encode(*read), example.text);
  }
}

TEST(FromAgentMessages, HaveTheDocumentedTextAndReadBack) {
  const std::string hash = '"' + one.hex() + '"';
  const std::vector<Example<FromAgent>> examples{
      {Settings{one, {{"hotword.threshold", 0.5}}},
       R"({"type":"settings","hash":)" + hash + R"(,"values":{"hotword.threshold":0.5}})"},
      {Prepare{one, {{"hotword.threshold", 0.5}}, {"hotword.threshold"}},
       R"({"type":"prepare","hash":)" + hash +
           R"(,"values":{"hotword.threshold":0.5},"changed":["hotword.threshold"]})"},
      {Commit{one}, R"({"type":"commit","hash":)" + hash + "}"},
      {Rollback{one}, R"({"type":"rollback","hash":)" + hash + "}"},
      {Action{"7", "start", {{"seconds", 60}}},
       R"({"type":"action","id":"7","name":"start","parameters":{"seconds":60}})"},
      {Refused{"line 3: not JSON", true}, R"({"type":"refused","message":"line 3: not JSON","fatal":true})"},
  };
  for (const auto& example : examples) {
    EXPECT_EQ(encode(example.message), example.text);
    EXPECT_EQ(example.text.find('\n'), std::string::npos);
    const Result<FromAgent> read = decode_from_agent(example.text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->index(), example.message.index());
    EXPECT_EQ(encode(*read), example.text);
  }
}

TEST(FromModuleMessages, HaveDefaults) {
  const auto read = decode_from_module(R"({"type":"hello","name":"m"})");
  ASSERT_TRUE(read);
  const Hello& hello = std::get<Hello>(*read);
  EXPECT_EQ(hello.protocol, 1);
  EXPECT_EQ(hello.prepare_seconds, 2);
  EXPECT_FALSE(hello.hash);
  EXPECT_EQ(std::get<Unknown>(*decode_from_module(R"({"type":"sing"})")).type, "sing");
}

struct Bad {
  const char* text;
  const char* pointer;
};

template <typename Decode>
void expect_refused(std::span<const Bad> cases, Decode decode) {
  for (const Bad& bad : cases) {
    const auto read = decode(bad.text);
    ASSERT_FALSE(read) << bad.text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(read.error().field, bad.pointer) << bad.text;
  }
}

TEST(FromAgentMessages, BadOnesAreRefusedWithThePointer) {
  const Bad cases[] = {
      {R"({"type":"action","name":"start"})", "/id"},
      {R"({"type":"action","id":"7"})", "/name"},
      {R"({"type":"action","id":"7","name":"start","parameters":"now"})", "/parameters"},
      {R"({"type":"refused"})", "/message"},
  };
  expect_refused(cases, decode_from_agent);
}

TEST(FromModuleMessages, BadOnesAreRefusedWithThePointer) {
  const Bad cases[] = {
      {"hello", ""},
      {R"({"type":"hello"})", "/name"},
      {R"({"type":"hello","name":"m","components":"hotword"})", "/components"},
      {R"({"type":"hello","name":"m","components":["a",7]})", "/components/1"},
      {R"({"type":"hello","name":"m","prepare_seconds":11})", "/prepare_seconds"},
      {R"({"type":"hello","name":"m","hash":"beef"})", "/hash"},
      {R"({"type":"prepared","hash":""})", "/ok"},
      {R"({"type":"state"})", "/state"},
      {R"({"type":"set"})", "/values"},
      {R"({"type":"set","values":[]})", "/values"},
      {R"({"type":"report","kind":7})", "/kind"},
      {R"({"type":"action_result","ok":true})", "/id"},
      {R"({"type":"action_result","id":"7"})", "/ok"},
      {R"({"type":"action_result","id":"7","ok":true,"result":[]})", "/result"},
  };
  expect_refused(cases, decode_from_module);
  const auto too_large = decode_from_module(std::string(max_line_bytes + 1, ' '));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace starling::protocol::module
