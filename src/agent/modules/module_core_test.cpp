#include "agent/modules/module_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/modules/module_action.hpp"
#include "agent/settings_bench.hpp"

namespace starling::agent {
namespace {

namespace wire = protocol::module;
using testing::ElementsAre;
using testing::HasSubstr;

const Values old_values{{"audio.volume", 5}, {"hotword.models", JsonArray{}}, {"hotword.threshold", 0.5}};
const Values new_values{{"audio.volume", 5}, {"hotword.models", {"a"}}, {"hotword.threshold", 0.5}};
const std::vector<std::string> changed{"hotword.models"};

struct ModuleTest : testing::Test, ModuleOutput, ModuleListener {
  // ModuleOutput
  void send_line(ModuleId module, std::string_view line) override {
    auto message = wire::decode_from_agent(line);
    ASSERT_TRUE(message) << message.error().message;
    sent[module].push_back(std::move(*message));
  }
  void drop(ModuleId module) override { dropped.push_back(module); }
  // ModuleListener
  const Values& values_for_modules() const override { return old_values; }
  Result<std::string> setting_named(std::string_view name) const override {
    if (name == "HOTWORD_MODELS") return std::string("hotword.models");
    if (name.find('.') == std::string_view::npos)
      return fail(ErrorCode::invalid_argument, "no setting is called that");
    return std::string(name);
  }
  void module_set(JsonObject values, std::function<void(const Result<void>&)> done) override {
    set_values = std::move(values);
    done(fail(ErrorCode::invalid_argument, "no"));
  }
  void modules_changed() override {}
  void module_arrived(std::string_view name) override { said.push_back(std::string(name) + " hello"); }
  void module_said_state(std::string_view name, std::string_view state, std::string_view) override {
    said.push_back(std::string(name) + " " + std::string(state));
  }
  Result<void> check_peer(std::string_view name, std::int32_t) const override {
    if (name != "taken") return {};
    return fail(ErrorCode::permission_denied, "this process is not of the module 'taken'");
  }
  void module_refused(std::string_view name, std::int32_t pid, std::string_view why) override {
    refused.push_back(std::string(name) + " " + std::to_string(pid) + " " + std::string(why));
  }
  std::string why_not_connected(std::string_view name) const override {
    return name == "stopped" ? "is not running" : "";
  }
  void module_failing(std::string_view name) override { failing.emplace_back(name); }

  ModuleId hello(const std::string& name, std::vector<std::string> components,
                 std::vector<std::string> keys = {}) {
    const ModuleId id = *core.opened(1);
    wire::Hello greeting;
    greeting.name = name;
    greeting.components = std::move(components);
    greeting.keys = std::move(keys);
    core.line(id, wire::encode(greeting));
    return id;
  }
  template <typename Message>
  const Message* last(ModuleId id) {
    if (sent[id].empty()) return nullptr;
    return std::get_if<Message>(&sent[id].back());
  }
  ModulePort::Answer prepare() {
    return core.prepare(new_values, changed,
                        [this](std::vector<protocol::KeyError> errors) { answered = std::move(errors); });
  }
  void answer(ModuleId id, bool ok) {
    wire::Prepared message;
    message.hash = last<wire::Prepare>(id)->hash;
    message.ok = ok;
    if (!ok) message.errors.push_back({"hotword.models", "no such file"});
    core.line(id, wire::encode(message));
  }
  ModulePort::Answer commit() {
    return core.commit(new_values, changed, [this] { committed = true; });
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    core.tick();
  }

  ManualClock clock;
  ModuleCore core{clock, *this, *this, Logger()};
  std::map<ModuleId, std::vector<wire::FromAgent>> sent;
  std::vector<ModuleId> dropped;
  std::vector<std::string> said, refused;
  std::vector<std::string> failing;
  JsonObject set_values;
  std::optional<std::vector<protocol::KeyError>> answered;
  bool committed = false;
};

TEST_F(ModuleTest, HearsOnlyWhatItNamed) {
  const ModuleId whole = hello("a", {"hotword"});
  const ModuleId single = hello("b", {}, {"audio.volume"});
  EXPECT_EQ(last<wire::Settings>(whole)->values.size(), 2u);
  EXPECT_EQ(last<wire::Settings>(single)->values, (JsonObject{{"audio.volume", 5}}));
  EXPECT_EQ(prepare(), ModulePort::Answer::waiting);
  ASSERT_NE(last<wire::Prepare>(whole), nullptr);
  EXPECT_THAT(last<wire::Prepare>(whole)->changed, ElementsAre("hotword.models"));
  EXPECT_EQ(last<wire::Prepare>(single), nullptr);
}

TEST_F(ModuleTest, NobodyConcernedMeansNobodyAsked) {
  hello("b", {"audio"});
  (void)*core.opened(1);  // has not said hello
  EXPECT_EQ(prepare(), ModulePort::Answer::ready);
}

TEST_F(ModuleTest, AllMustAgree) {
  const ModuleId a = hello("a", {"hotword"});
  const ModuleId b = hello("b", {"hotword"});
  (void)prepare();
  answer(a, true);
  EXPECT_FALSE(answered);
  answer(b, false);
  ASSERT_TRUE(answered);
  ASSERT_EQ(answered->size(), 1u);
  EXPECT_EQ(answered->at(0).key, "hotword.models");
  EXPECT_THAT(answered->at(0).message, HasSubstr("module 'b'"));
  core.rollback();
  EXPECT_NE(last<wire::Settings>(a), nullptr);  // what stays in force
  EXPECT_NE(last<wire::Rollback>(b), nullptr);
}

TEST_F(ModuleTest, SilenceIsARefusal) {
  hello("a", {"hotword"});
  (void)prepare();
  EXPECT_EQ(core.next_deadline(), clock.steady() + Seconds(2));
  pass(Seconds(1));
  EXPECT_FALSE(answered);
  pass(Seconds(1));
  ASSERT_TRUE(answered);
  EXPECT_THAT(answered->at(0).message, HasSubstr("did not answer within 2 s"));
}

TEST_F(ModuleTest, OneThatEndsIsNotWaitedFor) {
  const ModuleId a = hello("a", {"hotword"});
  (void)prepare();
  core.closed(a);
  ASSERT_TRUE(answered);
  EXPECT_TRUE(answered->empty());
}

TEST_F(ModuleTest, AnswersToOlderQuestionsDoNotCount) {
  const ModuleId a = hello("a", {"hotword"});
  (void)prepare();
  wire::Prepared stale;
  stale.hash = sha256("older");
  stale.ok = true;
  core.line(a, wire::encode(stale));
  EXPECT_FALSE(answered);
}

TEST_F(ModuleTest, CommitIsRepeatedUntilAcknowledged) {
  const ModuleId a = hello("a", {"hotword"});
  (void)prepare();
  const Digest hash = last<wire::Prepare>(a)->hash;
  answer(a, true);
  EXPECT_EQ(commit(), ModulePort::Answer::waiting);
  sent[a].clear();
  pass(Seconds(1));
  ASSERT_NE(last<wire::Commit>(a), nullptr);
  EXPECT_FALSE(committed);
  core.line(a, wire::encode(wire::Committed{hash}));
  EXPECT_TRUE(committed);
  EXPECT_FALSE(core.next_deadline());
}

TEST_F(ModuleTest, OneThatNeverAcknowledgesIsDropped) {
  const ModuleId a = hello("a", {"hotword"});
  (void)prepare();
  answer(a, true);
  (void)commit();
  for (int i = 0; i < ModuleCore::commit_tries; ++i)
    pass(Seconds(1));
  EXPECT_TRUE(committed);
  EXPECT_THAT(dropped, ElementsAre(a));
  EXPECT_EQ(core.count(), 0u);
}

TEST_F(ModuleTest, OneThatCameWhileOthersWereAskedIsTold) {
  const ModuleId a = hello("a", {"hotword"});
  (void)prepare();
  const ModuleId late = hello("late", {"hotword"});
  answer(a, true);
  (void)commit();
  ASSERT_NE(last<wire::Settings>(late), nullptr);
  EXPECT_EQ(last<wire::Settings>(late)->values.at("hotword.models"), Json({"a"}));
}

TEST_F(ModuleTest, BadLinesEndTheConnection) {
  for (const std::string line :
       {"{", "[]", "null", R"({"type":"prepared"})", R"({"type":"state","state":"idle"})"}) {
    SCOPED_TRACE(line);
    const ModuleId id = *core.opened(1);
    core.line(id, line);
    ASSERT_NE(last<wire::Refused>(id), nullptr);
    EXPECT_TRUE(last<wire::Refused>(id)->fatal);
    EXPECT_EQ(dropped.back(), id);
  }
  const ModuleId id = hello("a", {"hotword"});
  core.line(id, R"({"type":"from_the_future"})");
  ASSERT_NE(last<wire::Refused>(id), nullptr);
  EXPECT_FALSE(last<wire::Refused>(id)->fatal);
  core.line(id, R"({"type":"hello","name":"a","protocol":1,"components":[]})");
  EXPECT_EQ(dropped.back(), id);
}

TEST_F(ModuleTest, WhatIsRefusedIsAProblemOfTheModuleToldOnce) {
  const ModuleId nameless = *core.opened(77);
  core.line(nameless, "hello agent");
  EXPECT_THAT(refused, ElementsAre(testing::AllOf(
                           testing::StartsWith(" 77 invalid JSON"),
                           testing::EndsWith("; its connection to the module socket was closed"))));
  refused.clear();
  const ModuleId id = hello("a", {"hotword"});
  for (int i = 0; i < 3; ++i)
    core.line(id, R"({"type":"sing"})");
  EXPECT_THAT(refused, ElementsAre("a 1 unknown message type 'sing', ignored"));
  core.line(id, R"({"type":"dance"})");
  core.line(id, R"({"type":"sing"})");
  EXPECT_EQ(refused.size(), 3u);
}

TEST_F(ModuleTest, ANameThatNoModuleCanHaveIsRefused) {
  for (const char* name : {"", "../x", "Ear", "an ear", "ear\n"}) {
    const ModuleId id = hello(name, {});
    ASSERT_NE(last<wire::Refused>(id), nullptr) << name;
    EXPECT_THAT(last<wire::Refused>(id)->message,
                HasSubstr("is not the name of a module, which has a-z, 0-9"));
    EXPECT_TRUE(last<wire::Refused>(id)->fatal);
  }
  hello(std::string(65, 'a'), {});
  EXPECT_EQ(dropped.size(), 6u);
  EXPECT_THAT(said, ElementsAre());
  EXPECT_EQ(core.count(), 0u);
}

TEST_F(ModuleTest, TheMemberThatIsWrongIsNamedOnce) {
  const ModuleId id = hello("a", {"hotword"});
  core.line(id, R"({"type":"prepared","hash":"x","ok":true})");
  ASSERT_NE(last<wire::Refused>(id), nullptr);
  EXPECT_THAT(last<wire::Refused>(id)->message, testing::StartsWith("/hash must be a SHA-256"));
}

TEST_F(ModuleTest, AnAnswerToWhatNobodyAskedIsRefused) {
  const ModuleId id = hello("a", {"hotword"});
  core.line(id, R"({"type":"prepared","hash":"","ok":false})");
  ASSERT_NE(last<wire::Refused>(id), nullptr);
  EXPECT_FALSE(last<wire::Refused>(id)->fatal);
  EXPECT_EQ(last<wire::Refused>(id)->message, "prepared: it has not been asked");
  core.line(id, R"({"type":"committed","hash":""})");
  EXPECT_EQ(last<wire::Refused>(id)->message, "committed: it has not been asked");
  prepare();
  wire::Prepared late;
  late.hash = last<wire::Prepare>(id)->hash;
  late.ok = true;
  core.rollback();
  core.line(id, wire::encode(late));
  EXPECT_EQ(last<wire::Refused>(id), nullptr);
}

TEST_F(ModuleTest, KeysMayBeAliasesAndUnknownOnesAreTold) {
  const ModuleId id = hello("a", {}, {"HOTWORD_MODELS", "HOTWORD_MODEL"});
  ASSERT_EQ(sent[id].size(), 2u);
  ASSERT_NE(std::get_if<wire::Refused>(&sent[id].front()), nullptr);
  EXPECT_FALSE(std::get<wire::Refused>(sent[id].front()).fatal);
  ASSERT_NE(last<wire::Settings>(id), nullptr);
  EXPECT_TRUE(last<wire::Settings>(id)->values.contains("hotword.models"));
  prepare();
  EXPECT_NE(last<wire::Prepare>(id), nullptr);
}

TEST_F(ModuleTest, ASecondOneOfTheSameNameTakesOver) {
  const ModuleId first = hello("a", {"hotword"});
  const ModuleId second = hello("a", {"hotword"});
  EXPECT_THAT(dropped, ElementsAre(first));
  EXPECT_NE(last<wire::Settings>(second), nullptr);
  EXPECT_EQ(core.count(), 1u);
}

TEST_F(ModuleTest, ItsEditsGoToTheSettingsAndRefusalsComeBack) {
  const ModuleId id = hello("a", {"hotword"});
  core.line(id, wire::encode(wire::Set{{{"hotword.threshold", 0.9}}}));
  EXPECT_EQ(set_values, (JsonObject{{"hotword.threshold", 0.9}}));
  ASSERT_NE(last<wire::Refused>(id), nullptr);
  EXPECT_FALSE(last<wire::Refused>(id)->fatal);
}

TEST_F(ModuleTest, OneThatComesAndGoesWithNewSettingsIsFailing) {
  const auto come_and_go = [this](std::string_view name, std::string_view component) {
    for (int i = 0; i < ModuleCore::crash_loop; ++i)
      core.closed(hello(std::string(name), {std::string(component)}));
  };
  come_and_go("before", "hotword");
  commit();
  come_and_go("unconcerned", "logger");
  EXPECT_THAT(failing, ElementsAre());
  come_and_go("a", "hotword");
  EXPECT_THAT(failing, ElementsAre("a"));
}

TEST_F(ModuleTest, ReportsWhatModulesSay) {
  const ModuleId id = hello("a", {"hotword"});
  core.line(id, wire::encode(wire::State{"recording", "loud"}));
  EXPECT_EQ(Json(core.report()), *parse_json(R"({"a":{"state":"recording","status":"loud"}})"));
}

TEST_F(ModuleTest, WhatModulesDoIsActivityOfTheDevice) {
  const auto use = [](std::string_view body) {
    return wire::encode(wire::Report{"activity", parse_json(body)->get_object()});
  };
  const ModuleId id = hello("a", {"hotword"});
  clock.advance(Seconds(60));
  core.line(id, wire::encode(wire::State{"idle", ""}));
  core.line(id, wire::encode(wire::Report{"event", {{"woke", true}}}));
  EXPECT_EQ(core.activity().quiet_for(clock.steady()), Seconds(60)) << "nobody has done anything";
  core.line(id, use(R"({"what":"button"})"));
  EXPECT_EQ(core.activity().quiet_for(clock.steady()), Seconds(0));
  EXPECT_FALSE(core.activity().under_way());
  core.line(id, wire::encode(wire::State{"recording", ""}));
  EXPECT_TRUE(core.activity().under_way());
  core.line(id, wire::encode(wire::State{"idle", ""}));
  EXPECT_FALSE(core.activity().under_way());
  core.line(id, use(R"({"what":"playback","active":true})"));
  core.line(id, use(R"({"what":"dancing"})"));
  EXPECT_FALSE(last<wire::Refused>(id)->fatal);
  EXPECT_TRUE(core.activity().under_way());
  core.closed(id);
  EXPECT_FALSE(core.activity().under_way());
}

TEST_F(ModuleTest, AWordThatIsNoStateIsRefused) {
  const ModuleId id = hello("a", {"hotword"});
  core.line(id, wire::encode(wire::State{"recording", "loud"}));
  core.line(id, wire::encode(wire::State{"paused", ""}));
  ASSERT_NE(last<wire::Refused>(id), nullptr);
  EXPECT_FALSE(last<wire::Refused>(id)->fatal);
  EXPECT_THAT(last<wire::Refused>(id)->message, testing::HasSubstr("'paused'"));
  EXPECT_EQ(Json(core.report()), *parse_json(R"({"a":{"state":"recording","status":"loud"}})"));
}

TEST_F(ModuleTest, ALongStatusIsNotCutWithinACharacter) {
  const ModuleId id = hello("a", {"hotword"});
  core.line(id, wire::encode(wire::State{
                    "idle", std::string(ModuleCore::max_status_bytes - 1, 'x') + "\u00e9\u00e9"}));
  const Json report(core.report());
  const std::string status(report.at("a").at("status").as_string());
  EXPECT_EQ(status, std::string(ModuleCore::max_status_bytes - 1, 'x') + "...");
}

TEST_F(ModuleTest, OneThatNeverSaysHelloIsDropped) {
  const ModuleId id = *core.opened(1);
  pass(Seconds(9));
  EXPECT_TRUE(dropped.empty());
  pass(Seconds(1));
  EXPECT_THAT(dropped, ElementsAre(id));
}

TEST_F(ModuleTest, TheirNumberIsBounded) {
  for (std::size_t i = 0; i < ModuleCore::max_modules; ++i)
    ASSERT_TRUE(core.opened(1));
  EXPECT_EQ(core.opened(1).error().code, ErrorCode::rate_limited);
}

TEST_F(ModuleTest, TheSupervisorHearsOfHelloAndRecording) {
  const ModuleId id = hello("recorder", {});
  core.line(id, wire::encode(wire::State{"recording", "take 1"}));
  core.line(id, wire::encode(wire::State{"idle", ""}));
  EXPECT_THAT(said, ElementsAre("recorder hello", "recorder recording", "recorder idle"));
}

TEST_F(ModuleTest, NobodySaysHelloInAnothersName) {
  const ModuleId id = hello("taken", {});
  EXPECT_THAT(dropped, ElementsAre(id));
  EXPECT_THAT(last<wire::Refused>(id)->message, HasSubstr("not of the module"));
  EXPECT_TRUE(said.empty());
}

TEST_F(ModuleTest, IdentifyAsksEachAndNamesThoseThatDid) {
  IdentifyRunner identify("device-1", core, Logger());
  std::optional<Result<JsonObject>> result;
  const auto keep = [&](Result<JsonObject> told) { result = std::move(told); };
  identify.run({}, keep);
  ASSERT_TRUE(result);
  EXPECT_EQ(**result, (JsonObject{{"device_id", "device-1"}, {"modules", JsonArray{}}}));
  result.reset();
  const ModuleId lights = hello("lights", {}), recorder = hello("recorder", {});
  identify.run({}, keep);
  for (const ModuleId module : {recorder, lights}) {
    EXPECT_FALSE(result);
    const auto* asked = last<wire::Action>(module);
    ASSERT_NE(asked, nullptr);
    EXPECT_EQ(asked->name, "identify");
    wire::ActionResult answer;
    answer.id = asked->id;
    answer.ok = module == lights;
    core.line(module, wire::encode(answer));
  }
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)->at("modules"), (JsonArray{"lights"}));
  EXPECT_EQ((*result)->at("failed"), (JsonObject{{"recorder", "the module refuses"}}));
}

TEST_F(ModuleTest, IdentifyNamesThoseThatDoNotAnswer) {
  IdentifyRunner identify("device-1", core, Logger());
  std::optional<Result<JsonObject>> result;
  const ModuleId lights = hello("lights", {});
  hello("hotword", {});
  identify.run({}, [&](Result<JsonObject> told) { result = std::move(told); });
  wire::ActionResult answer;
  answer.id = last<wire::Action>(lights)->id;
  answer.ok = true;
  core.line(lights, wire::encode(answer));
  EXPECT_FALSE(result);
  pass(Seconds(30));
  ASSERT_TRUE(result);
  EXPECT_EQ(**result, (JsonObject{{"device_id", "device-1"},
                                  {"modules", JsonArray{"lights"}},
                                  {"failed", JsonObject{{"hotword", "it did not answer within 30 s"}}}}));
}

TEST_F(ModuleTest, ActsOnceAndAnswers) {
  const ModuleId id = hello("recorder", {});
  std::vector<std::string> answers;
  const auto collect = [&](const Result<JsonObject>& result) {
    answers.push_back(result ? boost::json::serialize(*result) : result.error().message);
  };
  core.act("recorder", "start", {{"take", 1}}, collect);
  const auto* question = last<wire::Action>(id);
  ASSERT_NE(question, nullptr);
  EXPECT_EQ(question->name, "start");
  EXPECT_EQ(question->parameters.at("take"), Json(1));
  wire::ActionResult answer;
  answer.id = question->id;
  answer.ok = true;
  answer.result["file"] = "a.wav";
  core.line(hello("other", {}), wire::encode(answer));  // an id that is not its own
  EXPECT_TRUE(answers.empty());
  core.line(id, wire::encode(answer));
  core.line(id, wire::encode(answer));
  EXPECT_THAT(answers, ElementsAre(R"({"file":"a.wav"})"));
}

TEST_F(ModuleTest, AnActionOfOneThatDoesNotRunSaysSo) {
  std::vector<Error> errors;
  const auto collect = [&](const Result<JsonObject>& result) { errors.push_back(result.error()); };
  core.act("stopped", "start", {}, collect);
  core.act("nobody", "start", {}, collect);
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].code, ErrorCode::failed_precondition);
  EXPECT_EQ(errors[0].message, "module 'stopped' is not running");
  EXPECT_EQ(errors[1].code, ErrorCode::not_found);
}

TEST_F(ModuleTest, AnActionAlwaysEnds) {
  const ModuleId id = hello("recorder", {});
  std::vector<std::string> answers;
  const auto collect = [&](const Result<JsonObject>& result) { answers.push_back(result.error().message); };
  core.act("nobody", "start", {}, collect);
  core.act("recorder", "start", {}, collect);
  pass(ModuleCore::longest_action);
  core.act("recorder", "start", {}, collect);
  wire::ActionResult refusal;
  refusal.id = last<wire::Action>(id)->id;
  refusal.message = "no disk";
  core.line(id, wire::encode(refusal));
  core.act("recorder", "start", {}, collect);
  core.closed(id);
  EXPECT_THAT(answers, ElementsAre(HasSubstr("not connected"), HasSubstr("did not answer"), "no disk",
                                   HasSubstr("went away")));
}

}  // namespace
}  // namespace starling::agent
