#include "agent/hub_link/link_core.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/device_core.hpp"
#include "agent/settings_bench.hpp"
#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

using protocol::FromDevice;
using testing::HasSubstr;

// A network that records what it is asked for.
class Network final : public LinkOutput, public ModuleOutput {
 public:
  void enrol() override { asked.push_back("enrol"); }
  void connect(std::string_view token) override { asked.push_back("connect " + std::string(token)); }
  void send(std::string_view text) override {
    auto message = protocol::decode_from_device(text);
    ASSERT_TRUE(message) << message.error().message;
    sent.push_back(std::move(*message));
  }
  void close(std::string_view reason) override { asked.push_back("close: " + std::string(reason)); }
  void send_line(ModuleId, std::string_view) override {}
  void drop(ModuleId) override {}

  template <typename Message>
  const Message* last() const {
    for (auto message = sent.rbegin(); message != sent.rend(); ++message) {
      if (const auto* found = std::get_if<Message>(&*message)) return found;
    }
    return nullptr;
  }

  std::vector<std::string> asked;
  std::vector<FromDevice> sent;
};

struct LinkTest : testing::Test {
  void start(bool can_enrol = true) {
    DeviceOptions options;
    options.board_serial = "board-1";
    options.seed = 3;
    options.link.can_enrol = can_enrol;
    options.link.boot_id = "boot";
    options.link.facts = facts;
    auto loaded = DeviceCore::load(disk, clock, catalog, maker, network, network, std::move(options), log);
    ASSERT_TRUE(loaded) << loaded.error().message;
    device = std::move(*loaded);
    network.asked.clear();
    network.sent.clear();
    device->connect();
  }
  LinkCore& link() { return device->link(); }
  void receive(const protocol::FromHub& message) { link().received(protocol::encode(message)); }
  void establish() {
    link().opened();
    receive(protocol::Challenge{"nonce"});
    receive(welcome());
    ASSERT_TRUE(link().established());
  }
  protocol::Welcome welcome(std::string token = "") const {
    protocol::Welcome message;
    message.hub_time_ms = clock.wall().time_since_epoch().count() + 5'000;
    message.heartbeat_seconds = 300;
    message.hub_generation = "g1";
    message.token = std::move(token);
    return message;
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    device->tick();
  }
  // Time until the core wants to try again.
  Milliseconds pause() const {
    return std::chrono::duration_cast<Milliseconds>(*device->next_deadline() - clock.steady());
  }

  JsonObject facts;
  Log* log = nullptr;
  FakeDisk disk;
  ManualClock clock;
  protocol::Catalog catalog = test_catalog();
  RandomIdentityMaker maker{clock};
  Network network;
  std::unique_ptr<DeviceCore> device;
};

TEST_F(LinkTest, EnrolsOnceThenConnectsWithItsToken) {
  start();
  EXPECT_EQ(network.asked.back(), "enrol");
  link().enrolled("secret");
  EXPECT_EQ(network.asked.back(), "connect secret");
  start();
  EXPECT_EQ(network.asked, std::vector<std::string>{"connect secret"});
}

TEST_F(LinkTest, ADeviceThatLostItsTokenProvesItselfOverTheLink) {
  start();
  link().enrolled("");  // the hub knows it already and gives no token
  EXPECT_EQ(network.asked.back(), "connect ");
  link().opened();
  receive(protocol::Challenge{"nonce"});
  EXPECT_FALSE(network.last<protocol::Handshake>()->proof.empty());
  receive(welcome("fresh"));
  start();
  EXPECT_EQ(network.asked, std::vector<std::string>{"connect fresh"});
}

TEST_F(LinkTest, WithAnEnrolmentKeyThatIsNotForItTheLinkIsTriedAsWell) {
  for (const ErrorCode refusal : {ErrorCode::permission_denied, ErrorCode::unauthenticated}) {
    start();
    link().attempt_failed({refusal, "the key does not cover this device", {}});
    pass(pause());
    EXPECT_EQ(network.asked.back(), "connect ");
    link().attempt_failed({ErrorCode::unauthenticated, "no device is registered", {}});
    pass(pause());
    EXPECT_EQ(network.asked.back(), "enrol");
  }
}

TEST_F(LinkTest, AWrongEnrolmentKeyIsSaidOnceAndAsWhatItIs) {
  const TemporaryFolder folder;
  const FileDescriptor file(
      ::open((folder / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600));
  Log written(clock, file.number());
  log = &written;
  start();
  for (int i = 0; i < 3; ++i) {
    link().attempt_failed({ErrorCode::unauthenticated, "the key is not known", {}});
    pass(pause());
    EXPECT_EQ(network.asked.back(), "connect ");
    link().attempt_failed({ErrorCode::unauthenticated, "no device is registered", {}});
    pass(pause());
    EXPECT_EQ(network.asked.back(), "enrol");
  }
  const std::string text = read_file(folder / "log", 1u << 20).value_or("");
  const auto first = text.find("does not accept this enrolment key");
  ASSERT_NE(first, std::string::npos) << text;
  EXPECT_EQ(text.find("does not accept this enrolment key", first + 1), std::string::npos) << text;
  EXPECT_EQ(text.find("enrolling it again"), std::string::npos) << text;
  device.reset();
}

TEST_F(LinkTest, TellsOfItselfWhatTheHubHasNotHeard) {
  const auto told = [this] {
    link().opened();
    receive(protocol::Challenge{"nonce"});
    receive(welcome());
    return network.last<protocol::Handshake>()->facts;
  };
  facts = {{"device_name", "bear"}, {"timezone", "UTC"}};
  start();
  link().enrolled("secret");
  EXPECT_EQ(told(), JsonObject()) << "the registration said it";
  start();
  EXPECT_EQ(told(), JsonObject()) << "so that a rename at the hub stays";
  facts["timezone"] = "Asia/Tokyo";
  const JsonObject zone{{"timezone", "Asia/Tokyo"}};
  start();
  EXPECT_EQ(told(), zone);
  start();
  EXPECT_EQ(told(), zone) << "the hub did not say that it has kept it";
  receive(protocol::FactsKept{});
  start();
  EXPECT_EQ(told(), JsonObject());
  facts["timezone"] = "UTC";
  start();
  EXPECT_EQ(told(), (JsonObject{{"timezone", "UTC"}})) << "back again is a change as well";
  receive(protocol::FactsKept{{{"timezone", "never heard of it"}}});
  start();
  EXPECT_EQ(told(), JsonObject()) << "saying it again would not help";
}

TEST_F(LinkTest, AKnownDeviceThatEnrolsAgainHasToldNothingByThat) {
  facts = {{"device_name", "bear"}};
  start();
  link().enrolled("");
  link().opened();
  receive(protocol::Challenge{"nonce"});
  EXPECT_EQ(network.last<protocol::Handshake>()->facts, facts);
}

TEST_F(LinkTest, SignsTheHandshakeAndTellsWhatRuns) {
  start();
  link().enrolled("secret");
  link().opened();
  EXPECT_TRUE(network.sent.empty());
  receive(protocol::Challenge{"nonce"});
  const auto* handshake = network.last<protocol::Handshake>();
  ASSERT_NE(handshake, nullptr);
  EXPECT_EQ(handshake->device_id, device->identity().device_id());
  EXPECT_EQ(handshake->epoch, (protocol::SessionEpoch{1, 1}));
  EXPECT_EQ(handshake->sections.at(0).applied, device->settings().running_hash());
  EXPECT_EQ(handshake->components.size(), 2u);
  EXPECT_EQ(handshake->nonce, "nonce");
  EXPECT_TRUE(ed25519_verify(device->identity().public_key(), protocol::handshake_proof_text(*handshake),
                             *base64url_decode(handshake->proof)));
}

TEST_F(LinkTest, KeepsARotatedToken) {
  start();
  link().enrolled("old");
  link().opened();
  receive(protocol::Challenge{"nonce"});
  receive(welcome("fresh"));
  start();
  EXPECT_EQ(network.asked.back(), "connect fresh");
}

TEST_F(LinkTest, AppliesWhatItIsOfferedAndAnswers) {
  start();
  link().enrolled("t");
  establish();
  receive(make_update(catalog, 2, {{"logger.level", "DEBUG"}}));
  const auto* status = network.last<protocol::ConfigStatus>();
  ASSERT_NE(status, nullptr);
  EXPECT_EQ(status->phase, protocol::Phase::provisional);
  EXPECT_EQ(status->running, device->settings().running_hash());
  network.sent.clear();
  pass(Seconds(1));  // reported state follows, collected
  const auto* beat = network.last<protocol::Heartbeat>();
  ASSERT_NE(beat, nullptr);
  EXPECT_EQ(beat->reported.at("settings").at("revision"), Json(2));
  EXPECT_EQ(network.sent.size(), 1u);
}

TEST_F(LinkTest, AsksForTheWholeSectionWhenAPatchDoesNotFit) {
  start();
  link().enrolled("t");
  establish();
  network.sent.clear();
  auto update = make_update(catalog, 2, {{"logger.level", "DEBUG"}});
  update.base = sha256("unknown");
  receive(update);
  EXPECT_NE(network.last<protocol::ConfigRequest>(), nullptr);
  EXPECT_EQ(network.last<protocol::ConfigStatus>(), nullptr);
}

TEST_F(LinkTest, SaysItsLastOutcomeAtEveryWelcomeBecauseTheLinkMayHaveLostIt) {
  start();
  link().enrolled("t");
  establish();
  const auto refused = make_update(catalog, 2, {{"logger.level", "LOUD"}});
  receive(refused);
  link().closed("lost before the status arrived");
  network.sent.clear();
  pass(Seconds(60));
  establish();
  const auto* status = network.last<protocol::ConfigStatus>();
  ASSERT_NE(status, nullptr);
  EXPECT_EQ(status->phase, protocol::Phase::refused);
  EXPECT_EQ(status->target, refused.hash);
  ASSERT_EQ(status->errors.size(), 1u);
  EXPECT_EQ(status->errors[0].key, "logger.level");
}

TEST_F(LinkTest, ProposesEachEditOnceInASession) {
  start();
  link().enrolled("t");
  device->settings().set("logger.level", "ERROR", [](const Result<void>&) {});
  establish();
  EXPECT_EQ(network.last<protocol::Handshake>()->pending.size(), 1u);
  EXPECT_EQ(network.last<protocol::ConfigPropose>(), nullptr);
  device->settings().set("hotword.threshold", 0.9, [](const Result<void>&) {});
  const auto* proposal = network.last<protocol::ConfigPropose>();
  ASSERT_NE(proposal, nullptr);
  ASSERT_EQ(proposal->edits.size(), 1u);
  EXPECT_EQ(proposal->edits[0].key, "hotword.threshold");
  EXPECT_EQ(device->settings().pending_edits().size(), 2u);
  protocol::ConfigProposed answer;
  answer.id = proposal->edits[0].id;
  answer.hub_value = 0.5;
  receive(answer);
  EXPECT_EQ(device->settings().pending_edits().size(), 1u);
}

TEST_F(LinkTest, BacksOffWithFullJitterUpToAMinute) {
  start(false);
  Milliseconds longest{0};
  for (int attempt = 0; attempt < 200; ++attempt) {
    link().attempt_failed({ErrorCode::unavailable, "no route", ""});
    const Milliseconds bound(std::min<std::int64_t>(60'000, 1'000ll << std::min(attempt, 16)));
    EXPECT_LE(pause(), bound) << attempt;
    longest = std::max(longest, pause());
    pass(pause());
    EXPECT_THAT(network.asked.back(), HasSubstr("connect"));
  }
  EXPECT_GT(longest, Seconds(50));
  EXPECT_EQ(network.asked.size(), 201u);
}

TEST_F(LinkTest, AGoodSessionForgetsFormerFailures) {
  start(false);
  for (int attempt = 0; attempt < 10; ++attempt) {
    link().attempt_failed({ErrorCode::unavailable, "no route", ""});
    pass(pause());
  }
  establish();
  pass(Seconds(20));
  link().closed("gone");
  EXPECT_LE(pause(), Seconds(1));
}

TEST_F(LinkTest, DropsALinkThatHasFallenSilent) {
  start(false);
  establish();
  pass(Seconds(25));
  link().alive();
  pass(Seconds(29));
  EXPECT_TRUE(link().established());
  pass(Seconds(1));
  EXPECT_EQ(network.asked.back(), "close: the hub has fallen silent");
  EXPECT_FALSE(link().established());
}

TEST_F(LinkTest, EnrolsAgainWhenTheHubDoesNotKnowIt) {
  start();
  link().enrolled("t");
  link().attempt_failed({ErrorCode::unauthenticated, "unknown token", ""});
  pass(pause());
  EXPECT_EQ(network.asked.back(), "enrol");
  link().enrolled("t2");
  link().opened();
  receive(protocol::LinkError{"unknown_device", "who?", false, 0});
  link().closed("4003");
  pass(pause());
  EXPECT_EQ(network.asked.back(), "enrol");
}

TEST_F(LinkTest, GoesBeyondTheEpochThatTheHubHasSeen) {
  start(false);
  link().opened();
  receive(protocol::Challenge{"nonce"});
  receive(protocol::LinkError{"stale_session", "older", true, 41});
  link().closed("4001");
  pass(pause());
  link().opened();
  receive(protocol::Challenge{"nonce"});
  EXPECT_EQ(network.last<protocol::Handshake>()->epoch.start, 42);
}

TEST_F(LinkTest, ClosesOnWhatItCannotReadOrDidNotExpect) {
  struct Case {
    const char* text;
    bool after_welcome;
  };
  for (const Case& one : {Case{"{", false}, Case{R"({"type":"welcome"})", false},
                          Case{R"({"type":"action","id":"a","name":"echo","expires_at_ms":1})", false},
                          Case{R"({"type":"challenge","nonce":"n"})", true}}) {
    SCOPED_TRACE(one.text);
    start(false);
    if (one.after_welcome) {
      establish();
    } else {
      link().opened();
    }
    link().received(one.text);
    EXPECT_THAT(network.asked.back(), HasSubstr("close"));
    EXPECT_EQ(link().state(), LinkCore::State::waiting);
  }
}

TEST_F(LinkTest, IgnoresMessagesOfANewerHub) {
  start(false);
  establish();
  link().received(R"({"type":"from_the_future","x":1})");
  EXPECT_TRUE(link().established());
}

// ---- actions

TEST_F(LinkTest, CarriesOutAnActionAtMostOnce) {
  start(false);
  establish();
  const std::int64_t hub_now = clock.wall().time_since_epoch().count() + 5'000;
  protocol::Action action{"a1", "echo", {{"x", 1}}, hub_now + 60'000};
  receive(action);
  ASSERT_TRUE(network.last<protocol::ActionResult>()->ok);
  action.parameters = {{"x", 2}};
  receive(action);
  EXPECT_EQ(network.last<protocol::ActionResult>()->result.at("x"), Json(1));
  start(false);
  establish();
  receive(action);
  EXPECT_EQ(network.last<protocol::ActionResult>()->result.at("x"), Json(1));
}

TEST_F(LinkTest, WhatAnActionDidIsReportedBeforeItIsAnswered) {
  start(false);
  establish();
  network.sent.clear();
  link().report_changed();
  const std::int64_t hub_now = clock.wall().time_since_epoch().count() + 5'000;
  receive(protocol::Action{"a1", "echo", {}, hub_now + 60'000});
  ASSERT_EQ(network.sent.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<protocol::Heartbeat>(network.sent[0]));
  EXPECT_TRUE(std::holds_alternative<protocol::ActionResult>(network.sent[1]));
}

TEST_F(LinkTest, AnswersActionsThatItDoesNotCarryOut) {
  start(false);
  establish();
  const std::int64_t hub_now = clock.wall().time_since_epoch().count() + 5'000;
  receive(protocol::Action{"late", "echo", {}, hub_now});
  EXPECT_THAT(network.last<protocol::ActionResult>()->message, HasSubstr("expired"));
  receive(protocol::Action{"new", "dance", {}, hub_now + 1});
  EXPECT_THAT(network.last<protocol::ActionResult>()->message, HasSubstr("does not know"));
  EXPECT_FALSE(network.last<protocol::ActionResult>()->ok);
}

class PowerCut final : public ActionRunner {
 public:
  explicit PowerCut(FakeDisk& disk) : disk_(disk) {}
  void run(const protocol::Action&, Done done) override {
    ++runs;
    disk_.crash_now();
    done(JsonObject{});
  }
  int runs = 0;

 private:
  FakeDisk& disk_;
};

protocol::ActionResult handled(ActionCore& core, const protocol::Action& action, std::int64_t hub_now_ms) {
  protocol::ActionResult answer;
  core.handle(action, hub_now_ms, [&](const protocol::ActionResult& result) { answer = result; });
  return answer;
}

TEST(ActionCore, DoesNotRepeatWhatACrashInterrupted) {
  FakeDisk disk(1, FakeDisk::Unsynced::lost);
  PowerCut runner(disk);
  const protocol::Action action{"a1", "cut", {}, 100};
  ActionCore first(disk, {{"cut", &runner}}, Logger());
  (void)handled(first, action, 1);
  disk.restore_power();
  ActionCore second(disk, {{"cut", &runner}}, Logger());
  ASSERT_TRUE(second.start());
  EXPECT_THAT(handled(second, action, 1).message, HasSubstr("interrupted"));
  EXPECT_EQ(runner.runs, 1);
}

// Answers when it is told to.
class SlowRunner final : public ActionRunner {
 public:
  void run(const protocol::Action&, Done done) override { waiting.push_back(std::move(done)); }
  std::vector<Done> waiting;
};

TEST(ActionCore, AnswersLaterAndOnlyOnce) {
  FakeDisk disk;
  SlowRunner slow;
  ActionCore core(disk, {{"slow", &slow}}, Logger());
  std::vector<protocol::ActionResult> answers;
  const auto collect = [&](const protocol::ActionResult& result) { answers.push_back(result); };
  const protocol::Action action{"a1", "slow", {}, 1'000, 1};
  core.handle(action, 1, collect);
  core.handle(action, 2, collect);  // it came again after a reconnect
  ASSERT_EQ(slow.waiting.size(), 1u);
  EXPECT_TRUE(answers.empty());
  slow.waiting[0](JsonObject{{"state", "idle"}});
  core.handle(action, 3, collect);
  ASSERT_EQ(answers.size(), 2u);
  for (const protocol::ActionResult& answer : answers) {
    EXPECT_TRUE(answer.ok);
    EXPECT_EQ(answer.result.at("state"), Json("idle"));
  }
}

TEST(ActionCore, NeverForgetsWhatMayComeAgain) {
  FakeDisk disk;
  EchoRunner echo;
  ActionCore core(disk, {{"echo", &echo}}, Logger());
  constexpr int room = ActionCore::max_remembered;
  for (int i = 0; i < room; ++i)
    EXPECT_TRUE(handled(core, {"a" + std::to_string(i), "echo", {}, 1'000, 1}, 1).ok);
  EXPECT_THAT(handled(core, {"one more", "echo", {}, 1'000, 1}, 1).message, HasSubstr("issue it later"));
  EXPECT_TRUE(handled(core, {"a0", "echo", {{"again", true}}, 1'000, 1}, 1).result.empty());
  EXPECT_TRUE(handled(core, {"one more", "echo", {}, 2'000, 1}, 1'000).ok) << "the others have expired";
  EXPECT_FALSE(handled(core, {"a0", "echo", {}, 1'000, 1}, 1'000).ok);
}

TEST(ActionCore, ALostJournalMayHaveHeldWhatWasIssuedBefore) {
  FakeDisk disk;
  EchoRunner echo;
  disk.put(ActionCore::path, "torn");
  for (const char* start : {"the one that finds the journal torn", "the next one"}) {
    SCOPED_TRACE(start);
    ActionCore core(disk, {{"echo", &echo}}, Logger());
    ASSERT_TRUE(core.start());
    core.connected(500);
    EXPECT_THAT(handled(core, {"before", "echo", {}, 1'000, 400}, 510).message,
                HasSubstr("lost its journal"));
    EXPECT_TRUE(handled(core, {"after", "echo", {}, 1'000, 505}, 510).ok);
  }
}

TEST(ActionCore, DoesNotStartWhileTheJournalCannotBeRead) {
  FakeDisk disk;
  EchoRunner echo;
  disk.make_fail(std::string(ActionCore::path), ErrorCode::io);
  ActionCore core(disk, {{"echo", &echo}}, Logger());
  EXPECT_FALSE(core.start());
}

}  // namespace
}  // namespace starling::agent
