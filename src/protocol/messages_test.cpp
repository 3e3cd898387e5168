#include "protocol/messages.hpp"

#include <gtest/gtest.h>

#include "protocol/canonical_json.hpp"
#include "protocol/parsed_json.hpp"

namespace starling::protocol {
namespace {

const Digest one = sha256("one");
const Digest two = sha256("two");

Handshake full_handshake() {
  Handshake message;
  message.device_id = "0193-device";
  message.boot_id = "boot";
  message.epoch = {3, 14};
  message.agent_version = "0.1.0";
  message.serial = "10000000abcd";
  message.capabilities = {{"audio", true}};
  message.components = {{"audio", one}, {"hotword", two}};
  message.modules = {"hotword", "recorder"};
  message.cursor = {"generation", 41};
  message.sections = {{Section::settings, one, two}, {Section::software, two, {}}};
  message.pending = {{"edit", "hotword.threshold", Json(0.5), Json(0.25), 1'700'000'000'000},
                     {"other", "hotword.models", Json(), JsonArray{"a"}, 0}};
  message.nonce = "nonce";
  message.proof = "proof";
  return message;
}

// ---- every message reads back as it was written, and is written as the documentation says

struct FromHubExample {
  FromHub message;
  std::string text;
};

TEST(FromHubMessages, HaveTheDocumentedTextAndReadBack) {
  const std::string none = R"("")";
  const std::string first = '"' + one.hex() + '"';
  const std::string second = '"' + two.hex() + '"';
  const std::vector<FromHubExample> examples{
      {Challenge{"abc"}, R"({"type":"challenge","nonce":"abc"})"},
      {Welcome{1'700'000'000'000, 300, "g", 7, "", "", false},
       R"({"type":"welcome","hub_time_ms":1700000000000,"heartbeat_seconds":300,"hub_generation":"g","revision":7})"},
      {Welcome{0, 60, "g", 7, "t", "lab", true},
       R"({"type":"welcome","hub_time_ms":0,"heartbeat_seconds":60,"hub_generation":"g","revision":7,"token":"t","fleet":"lab","quarantine":true})"},
      {ConfigUpdate{Section::settings, 9, "g", {}, two, parsed(R"({"settings":{"b":1,"a":[2]}})")},
       R"({"type":"config_update","section":"settings","revision":9,"hub_generation":"g","base":)" + none +
           R"(,"hash":)" + second + R"(,"payload":{"settings":{"a":[2],"b":1}}})"},
      {ConfigUpdate{Section::modules, 9, "g", one, two, parsed(R"({"a":null})")},
       R"({"type":"config_update","section":"modules","revision":9,"hub_generation":"g","base":)" + first +
           R"(,"hash":)" + second + R"(,"payload":{"a":null}})"},
      {ConfigProposed{"e", true, 12, Json(), ""},
       R"({"type":"config_proposed","id":"e","accepted":true,"revision":12})"},
      {ConfigProposed{"e", false, 0, Json(0.5), "changed at the hub"},
       R"({"type":"config_proposed","id":"e","accepted":false,"hub_value":0.5,"message":"changed at the hub"})"},
      {Action{"i", "echo", {{"text", "hi"}}, 5, 4},
       R"({"type":"action","id":"i","name":"echo","parameters":{"text":"hi"},"expires_at_ms":5,"issued_at_ms":4})"},
      {LogFollow{"f", "recorder", 50, true},
       R"({"type":"log_follow","id":"f","module":"recorder","lines":50,"follow":true})"},
      {LogStop{"f"}, R"({"type":"log_stop","id":"f"})"},
      {LinkError{"bad_message", "no\n", false},
       R"({"type":"error","code":"bad_message","message":"no\n","retry":false})"},
  };
  for (const FromHubExample& example : examples) {
    EXPECT_EQ(encode(example.message), example.text);
    const Result<FromHub> read = decode_from_hub(example.text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->index(), example.message.index());
    EXPECT_EQ(encode(*read), example.text);
  }
}

struct FromDeviceExample {
  FromDevice message;
  std::string text;
};

TEST(FromDeviceMessages, HaveTheDocumentedTextAndReadBack) {
  const std::string first = '"' + one.hex() + '"';
  const std::string second = '"' + two.hex() + '"';
  const std::vector<FromDeviceExample> examples{
      {full_handshake(),
       R"({"type":"handshake","protocol":1,"device_id":"0193-device","boot_id":"boot","epoch":{"start":3,"connection":14},)"
       R"("agent_version":"0.1.0","serial":"10000000abcd","capabilities":{"audio":true},"components":{"audio":)" +
           first + R"(,"hotword":)" + second +
           R"(},"modules":["hotword","recorder"],"cursor":{"hub_generation":"generation","revision":41},"sections":{"settings":{"applied":)" +
           first + R"(,"refused":)" + second + R"(},"software":{"applied":)" + second +
           R"(}},"pending":[{"id":"edit","key":"hotword.threshold","from":0.5,"to":0.25,"at_ms":1700000000000},)"
           R"({"id":"other","key":"hotword.models","from":null,"to":["a"],"at_ms":0}],"nonce":"nonce","proof":"proof"})"},
      {ConfigStatus{Section::settings, two, 8, one, Phase::refused, {{"hotword.models", "no such file"}}},
       R"({"type":"config_status","section":"settings","target":)" + second +
           R"(,"phase":"refused","running_revision":8,"running":)" + first +
           R"(,"errors":[{"key":"hotword.models","message":"no such file"}]})"},
      {ConfigStatus{Section::settings, two, 9, two, Phase::applied, {}},
       R"({"type":"config_status","section":"settings","target":)" + second +
           R"(,"phase":"applied","running_revision":9,"running":)" + second + "}"},
      {ConfigPropose{{{"edit", "a.b", Json(1), Json(), 3}}},
       R"({"type":"config_propose","edits":[{"id":"edit","key":"a.b","from":1,"to":null,"at_ms":3}]})"},
      {Heartbeat{{{Section::settings, one, {}}}, 2, {{"uptime_s", 12}}},
       R"({"type":"heartbeat","sections":{"settings":{"applied":)" + first +
           R"(}},"pending":2,"reported":{"uptime_s":12}})"},
      {ActionResult{"i", true, {{"text", "hi"}}, ""},
       R"({"type":"action_result","id":"i","ok":true,"result":{"text":"hi"}})"},
      {ActionResult{"i", false, {}, "expired"},
       R"({"type":"action_result","id":"i","ok":false,"result":{},"message":"expired"})"},
      {ConfigRequest{Section::software}, R"({"type":"config_request","section":"software"})"},
      {Modules{{"hotword", "recorder"}}, R"({"type":"modules","names":["hotword","recorder"]})"},
      {Modules{}, R"({"type":"modules","names":[]})"},
      {LogLines{"f", {{5, "stdout", "hi"}, {6, "stderr", "\n"}}, false, ""},
       R"({"type":"log","id":"f","lines":[{"at_ms":5,"stream":"stdout","text":"hi"},{"at_ms":6,"stream":"stderr","text":"\n"}],"ended":false})"},
      {LogLines{"f", {}, true, "gone"},
       R"({"type":"log","id":"f","lines":[],"ended":true,"message":"gone"})"},
  };
  for (const FromDeviceExample& example : examples) {
    EXPECT_EQ(encode(example.message), example.text);
    const Result<FromDevice> read = decode_from_device(example.text);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->index(), example.message.index());
    EXPECT_EQ(encode(*read), example.text);
  }
}

TEST(Phases, ReadBack) {
  for (const Phase phase :
       {Phase::staging, Phase::provisional, Phase::applied, Phase::refused, Phase::reverted}) {
    const auto read =
        decode_from_device(encode(FromDevice(ConfigStatus{Section::settings, one, 1, two, phase, {}})));
    ASSERT_TRUE(read);
    EXPECT_EQ(std::get<ConfigStatus>(*read).phase, phase);
  }
}

TEST(Handshakes, FieldsReadBack) {
  const Handshake sent = full_handshake();
  const auto read = decode_from_device(encode(FromDevice(sent)));
  ASSERT_TRUE(read);
  const Handshake& got = std::get<Handshake>(*read);
  EXPECT_EQ(got.epoch, sent.epoch);
  EXPECT_EQ(got.cursor, sent.cursor);
  EXPECT_EQ(got.components, sent.components);
  EXPECT_EQ(got.modules, sent.modules);
  ASSERT_EQ(got.sections.size(), 2u);
  EXPECT_EQ(got.sections[1].section, Section::software);
  EXPECT_FALSE(got.sections[1].refused);
  ASSERT_EQ(got.pending.size(), 2u);
  EXPECT_TRUE(got.pending[1].from.is_null());
  EXPECT_EQ(handshake_proof_text(got), "starling-handshake-v1\nnonce\n0193-device\nboot\n3.14");
}

TEST(Handshakes, OfClientsWithoutAProtocolVersionAreRead) {
  const auto documents = decode_from_device(
      R"({"type":"handshake","deviceId":"toy-001","toyId":"tars","capabilities":{"audio":true,"wake_word":true}})");
  ASSERT_TRUE(documents);
  EXPECT_EQ(std::get<Handshake>(*documents).protocol, 0);
  EXPECT_EQ(std::get<Handshake>(*documents).device_id, "toy-001");
  EXPECT_TRUE(std::get<Handshake>(*documents).capabilities.contains("wake_word"));
  const auto bare = decode_from_device(R"({"type":"handshake"})");
  ASSERT_TRUE(bare);
  EXPECT_EQ(std::get<Handshake>(*bare).protocol, 0);
}

TEST(Handshakes, OfTheFutureAreReadAsFarAsTheyAreKnown) {
  const auto read = decode_from_device(
      R"({"type":"handshake","protocol":99,"device_id":"d","boot_id":"b","epoch":{"start":1,"connection":1,"leap":2},)"
      R"("sections":{"settings":{"applied":""},"wardrobe":{"applied":7}},"nonce":"n","proof":"p","mood":[1,2]})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(std::get<Handshake>(*read).protocol, 99);
  EXPECT_EQ(std::get<Handshake>(*read).sections.size(), 1u);
}

TEST(Messages, OfUnknownTypeAreToldAsSuch) {
  const auto from_hub = decode_from_hub(R"({"type":"dance","steps":3})");
  ASSERT_TRUE(from_hub);
  EXPECT_EQ(std::get<Unknown>(*from_hub).type, "dance");
  // A message of the other direction is unknown too.
  const auto from_device = decode_from_device(R"({"type":"welcome"})");
  ASSERT_TRUE(from_device);
  EXPECT_EQ(std::get<Unknown>(*from_device).type, "welcome");
}

// ---- what is not a message

struct Bad {
  const char* text;
  const char* pointer;
};

TEST(FromDeviceMessages, BadOnesAreRefusedWithThePointer) {
  const Bad cases[] = {
      {"", ""},
      {"[]", ""},
      {"7", ""},
      {R"({"type":"heartbeat")", ""},
      {R"({"type":"heartbeat","type":"heartbeat"})", ""},
      {"{\"type\":\"heartbeat\xff\"}", ""},
      {R"({})", "/type"},
      {R"({"type":null})", "/type"},
      {R"({"type":7})", "/type"},
      {R"({"type":"handshake","protocol":"1"})", "/protocol"},
      {R"({"type":"handshake","protocol":0})", "/protocol"},
      {R"({"type":"handshake","protocol":-1})", "/protocol"},
      {R"({"type":"handshake","protocol":1.5})", "/protocol"},
      {R"({"type":"handshake","protocol":99999999999})", "/protocol"},
      {R"({"type":"handshake","deviceId":7})", "/deviceId"},
      {R"({"type":"handshake","protocol":1,"device_id":"d"})", "/boot_id"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b"})", "/epoch"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":[1,2]})", "/epoch"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":{"start":1}})",
       "/epoch/connection"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":{"start":-1,"connection":1}})",
       "/epoch/start"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":{"start":1,"connection":1},"components":{"a":"x"}})",
       "/components/a"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":{"start":1,"connection":1},"components":[]})",
       "/components"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":{"start":1,"connection":1},"sections":{"settings":{"applied":"AB"}}})",
       "/sections/settings/applied"},
      {R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":{"start":1,"connection":1}})",
       "/nonce"},
      {R"({"type":"config_status"})", "/section"},
      {R"({"type":"config_status","section":"settings"})", "/phase"},
      {R"({"type":"config_status","section":"wardrobe","phase":"applied"})", "/section"},
      {R"({"type":"config_status","section":"settings","phase":"done"})", "/phase"},
      {R"({"type":"config_status","section":"settings","phase":"applied","running":7})", "/running"},
      {R"({"type":"config_status","section":"settings","phase":"applied","errors":{}})", "/errors"},
      {R"({"type":"config_status","section":"settings","phase":"applied","errors":["a"]})", "/errors/0"},
      {R"({"type":"config_status","section":"settings","phase":"applied","errors":[{"key":"a"}]})",
       "/errors/0/message"},
      {R"({"type":"config_propose","edits":[{"id":"a"}]})", "/edits/0/key"},
      {R"({"type":"config_propose","edits":[{"id":"a","key":"b","at_ms":-1}]})", "/edits/0/at_ms"},
      {R"({"type":"heartbeat","pending":-1})", "/pending"},
      {R"({"type":"heartbeat","reported":[]})", "/reported"},
      {R"({"type":"action_result","id":"a"})", "/ok"},
      {R"({"type":"action_result","id":"a","ok":"yes"})", "/ok"},
      {R"({"type":"config_request","section":7})", "/section"},
  };
  for (const Bad& bad : cases) {
    const auto read = decode_from_device(bad.text);
    ASSERT_FALSE(read) << bad.text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument) << bad.text;
    EXPECT_EQ(read.error().field, bad.pointer) << bad.text;
    EXPECT_FALSE(read.error().message.empty());
  }
}

TEST(FromHubMessages, BadOnesAreRefusedWithThePointer) {
  const Bad cases[] = {
      {R"({"type":"challenge"})", "/nonce"},
      {R"({"type":"welcome"})", "/hub_time_ms"},
      {R"({"type":"welcome","hub_time_ms":1,"heartbeat_seconds":0})", "/heartbeat_seconds"},
      {R"({"type":"welcome","hub_time_ms":9007199254740992})", "/hub_time_ms"},
      {R"({"type":"config_update","payload":{"HOTWORD_MODELS":[]}})", "/section"},
      {R"({"type":"config_update","section":"settings","revision":1,"hub_generation":"g","payload":{}})",
       "/hash"},
      {R"({"type":"config_update","section":"settings","revision":1,"hub_generation":"g","hash":"00"})",
       "/hash"},
      {R"({"type":"config_update","section":"settings","revision":"1"})", "/revision"},
      {R"({"type":"config_proposed","id":"a"})", "/accepted"},
      {R"({"type":"action","id":"a","name":"echo"})", "/expires_at_ms"},
      {R"({"type":"action","id":"a","name":"echo","parameters":"x","expires_at_ms":1})", "/parameters"},
      {R"({"type":"error"})", "/code"},
  };
  for (const Bad& bad : cases) {
    const auto read = decode_from_hub(bad.text);
    ASSERT_FALSE(read) << bad.text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument) << bad.text;
    EXPECT_EQ(read.error().field, bad.pointer) << bad.text;
  }
  const std::string without_payload =
      R"({"type":"config_update","section":"settings","revision":1,"hub_generation":"g","hash":")" +
      one.hex() + "\"}";
  EXPECT_EQ(decode_from_hub(without_payload).error().field, "/payload");
}

TEST(Messages, AreBounded) {
  const auto too_large =
      decode_from_device(R"({"type":")" + std::string(max_device_message_bytes, 'x') + "\"}");
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, ErrorCode::too_large);

  EXPECT_TRUE(decode_from_hub(R"({"type":"x","y":")" + std::string(max_device_message_bytes, 'x') + "\"}"));
  EXPECT_FALSE(decode_from_hub(R"({"type":"x","y":")" + std::string(max_hub_message_bytes, 'x') + "\"}"));

  const auto long_text =
      decode_from_device(R"({"type":"action_result","ok":true,"id":")" + std::string(129, 'x') + "\"}");
  ASSERT_FALSE(long_text);
  EXPECT_EQ(long_text.error().field, "/id");

  std::string errors;
  for (int i = 0; i < 257; ++i)
    errors += std::string(i == 0 ? "" : ",") + R"({"key":"a","message":"b"})";
  const auto many = decode_from_device(
      R"({"type":"config_status","section":"settings","phase":"refused","errors":[)" + errors + "]}");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().field, "/errors");

  std::string components = R"("c0":"")";
  for (int i = 1; i < 257; ++i)
    components += ",\"c" + std::to_string(i) + "\":\"\"";
  const auto all = decode_from_device(
      R"({"type":"handshake","protocol":1,"device_id":"d","boot_id":"b","epoch":{"start":1,"connection":1},"components":{)" +
      components + R"(},"nonce":"n","proof":"p"})");
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().field, "/components");

  EXPECT_FALSE(decode_from_device(R"({"type":"heartbeat","reported":)" + std::string(1000, '[') +
                                  std::string(1000, ']') + "}"));
}

TEST(EncodeConfigUpdate, IsTheSameWithASerialisedPayload) {
  const ConfigUpdate message{
      Section::settings, 9, "g", one, two, parsed(R"({"settings":{"a":null,"b":[1,0.5]}})")};
  EXPECT_EQ(encode_config_update(message, canonical_json(message.payload)), encode(FromHub(message)));
}

TEST(EncodeFlatUpdate, HasTheShapeOfTheFirstDocument) {
  EXPECT_EQ(encode_flat_update(R"({"HOTWORD_MODELS":["Hey_Tars.tflite"]})"),
            R"({"type":"config_update","payload":{"HOTWORD_MODELS":["Hey_Tars.tflite"]}})");
}

TEST(Encode, OfAnUnknownMessageIsABug) {
  EXPECT_THROW(encode(FromHub(Unknown{"x"})), std::logic_error);
}

}  // namespace
}  // namespace starling::protocol
