#include "hub/api/linked_device.hpp"

namespace starling::hub {
namespace {

class ActionsApi : public ApiTest {
 protected:
  ActionsApi() { enrol(1, "bear", R"({"room":"nursery"})"); }

  static std::string on_bear(const std::string& action, const std::string& parameters = "{}") {
    return R"({"action":")" + action + R"(","target":{"device":"bear"},"parameters":)" + parameters + "}";
  }
};

TEST_F(ActionsApi, ParametersAreCheckedBeforeAnythingIsSent) {
  struct Case {
    const char* action;
    const char* parameters;
    int status;
    const char* pointer;
  };
  constexpr Case cases[] = {
      {"module", R"({"module":"recorder","command":"restart"})", 200, ""},
      {"module", R"({"module":"recorder","command":"enable"})", 422, "/parameters/command"},
      {"module", R"({"module":"../x","command":"stop"})", 422, "/parameters/module"},
      {"module", R"({"command":"stop"})", 422, "/parameters/module"},
      {"module", R"({"module":"recorder","command":"stop","now":true})", 422, "/parameters/now"},
      {"module_action", R"({"module":"recorder","action":"pause"})", 200, ""},
      {"module_action", R"({"module":"recorder","action":"start","parameters":{"seconds":5}})", 200, ""},
      {"module_action", R"({"module":"recorder"})", 422, "/parameters/action"},
      {"module_action", R"({"module":"recorder","action":"a","parameters":7})", 422,
       "/parameters/parameters"},
      {"check_updates", R"({})", 200, ""},
      {"check_updates", R"({"release":"v1.0.0"})", 422, "/parameters/release"},
      {"collect_logs", R"({})", 200, ""},
      {"collect_logs", R"({"modules":["recorder"],"max_bytes":120000})", 200, ""},
      {"collect_logs", R"({"max_bytes":120001})", 422, "/parameters/max_bytes"},
      {"collect_logs", R"({"modules":["Recorder"]})", 422, "/parameters/modules"},
      {"collect_logs", R"({"modules":"recorder"})", 422, "/parameters/modules"},
      {"factory_reset", R"({"really":true})", 422, "/parameters/really"},
      {"explode", R"({})", 422, "/action"},
  };
  for (const Case& each : cases) {
    const auto answer = post("/api/v1/actions", on_bear(each.action, each.parameters));
    EXPECT_EQ(answer.status, each.status) << each.action << each.parameters << answer.response.body;
    if (each.status != 200) {
      EXPECT_EQ(answer.text("/pointer"), each.pointer) << answer.response.body;
    }
  }
}

TEST_F(ActionsApi, AFactoryResetIsForOneDeviceAndForAdmins) {
  const std::string operator_key = make_key_of(R"({"name":"o","role":"operator"})");
  EXPECT_EQ(ask(http::Method::post, "/api/v1/actions", on_bear("factory_reset"), {operator_key}).status, 403);
  EXPECT_EQ(ask(http::Method::post, "/api/v1/actions", on_bear("identify"), {operator_key}).status, 200);
  EXPECT_EQ(post("/api/v1/actions", R"({"action":"factory_reset"})").status, 409);
  EXPECT_EQ(
      post("/api/v1/actions", R"({"action":"factory_reset","target":{"selector":"room=nursery"}})").status,
      409);
  ASSERT_EQ(post("/api/v1/actions", on_bear("factory_reset")).status, 200);
  const auto newest = get("/api/v1/changes?newest_first=true&limit=1");
  EXPECT_EQ(newest.text("/items/0/action"), "device.factory_reset");
  EXPECT_EQ(newest.text("/items/0/edits/0/after/name"), "factory_reset");
  EXPECT_EQ(newest.text("/items/0/edits/0/after/device"), uuid(1));
}

TEST_F(ActionsApi, LogsComeBackWholeAndOtherResultsAreBounded) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  struct Case {
    const char* action;
    std::size_t bytes;
    const char* state;
  };
  constexpr Case cases[] = {
      {"collect_logs", 120'000, "done"}, {"echo", 1'000, "done"}, {"echo", 120'000, "failed"}};
  for (const Case& each : cases) {
    const auto asked = post("/api/v1/actions", on_bear(each.action));
    ASSERT_EQ(asked.status, 200) << asked.response.body;
    settle();
    const auto actions = bear.peer.take_all<protocol::Action>();
    ASSERT_EQ(actions.size(), 1u);
    bear.say(protocol::ActionResult{
        actions[0].id, true, {{"logs", {{"recorder", std::string(each.bytes, 'x')}}}}, ""});
    const auto shown = get("/api/v1/actions/" + asked.text("/id") + "?device=bear");
    EXPECT_EQ(shown.text("/devices/0/state"), each.state) << each.action;
    if (std::string_view(each.state) == "done") {
      EXPECT_EQ(shown.text("/devices/0/result/logs/recorder").size(), each.bytes);
    }
    EXPECT_EQ(get("/api/v1/actions/" + asked.text("/id") + "?device=nobody").status, 404);
  }
}

TEST_F(ActionsApi, WhoHasNotAnsweredIsShownWithItsPresence) {
  enrol(2, "duck", R"({"room":"nursery"})");
  auto bear = std::make_unique<LinkedDevice>(*this, uuid(1), std::vector<std::string>{"recorder"});
  LinkedDevice(*this, uuid(2), {}).leave();
  const auto asked = post("/api/v1/actions", R"({"action":"echo","target":{"selector":"room=nursery"}})");
  settle();
  const auto shown = [&] { return get("/api/v1/actions/" + asked.text("/id")); };
  EXPECT_EQ(shown().text("/devices/0/status"), "online") << shown().response.body;
  EXPECT_EQ(shown().text("/devices/1/status"), "offline");
  EXPECT_TRUE(shown().at("/devices/1/last_seen").is_string());
  const auto actions = bear->peer.take_all<protocol::Action>();
  ASSERT_EQ(actions.size(), 1u);
  bear->leave();
  EXPECT_EQ(shown().text("/devices/0/status"), "offline") << "it has heard of it, and gone";
  bear = std::make_unique<LinkedDevice>(*this, uuid(1), std::vector<std::string>{"recorder"},
                                        protocol::SessionEpoch{1, 2});
  bear->say(protocol::ActionResult{actions[0].id, true, {}, ""});
  EXPECT_FALSE(shown().at("/devices/0").as_object().contains("status")) << "its answer says all";
}

TEST_F(ActionsApi, ACommandThatWasOvertakenHasAnAnswerOfItsOwn) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  const auto command = [&](const std::string& word) {
    const auto asked =
        post("/api/v1/actions", on_bear("module", R"({"module":"recorder","command":")" + word + "\"}"));
    settle();
    return asked.text("/id");
  };
  const auto state_of = [&](const std::string& id) {
    return get("/api/v1/actions/" + id).text("/devices/0/state");
  };
  const std::string start = command("start");
  const std::string stop = command("stop");
  bear.say(protocol::ActionResult{start, false, {}, "overtaken by a newer command: stop"});
  EXPECT_EQ(state_of(stop), "waiting") << "the other one is still at work";
  bear.say(protocol::ActionResult{stop, true, {{"state", "disabled"}}, ""});
  // What the overtaken one still brings, and what comes again, changes no row.
  bear.say(protocol::ActionResult{start, true, {{"state", "idle"}}, ""});
  bear.say(protocol::ActionResult{stop, false, {}, "overtaken by a newer command: start"});
  EXPECT_EQ(state_of(start), "failed");
  EXPECT_EQ(get("/api/v1/actions/" + start).text("/devices/0/message"), "overtaken by a newer command: stop");
  EXPECT_EQ(state_of(stop), "done");

  const std::string last = command("start");
  bear.say(protocol::Modules{});  // its folder is removed
  bear.say(protocol::ActionResult{last, false, {}, "module 'recorder' went away before it was ready"});
  EXPECT_EQ(get("/api/v1/actions/" + last).text("/devices/0/message"),
            "module 'recorder' went away before it was ready");
  bear.leave();
  del("/api/v1/devices/" + uuid(1));
  EXPECT_EQ(get("/api/v1/actions/" + start).at("/devices").as_array().size(), 0u)
      << "nobody is concerned any more";
}

}  // namespace
}  // namespace starling::hub
