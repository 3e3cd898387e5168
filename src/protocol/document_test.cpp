#include "protocol/document.hpp"

#include <gtest/gtest.h>

#include "protocol/canonical_json.hpp"
#include "protocol/parsed_json.hpp"

namespace starling::protocol {
namespace {

std::shared_ptr<const Component> hotword() {
  return Component::from_json(parsed(R"({"x-component":"hotword","properties":{
      "models":{"type":"array","default":[],"x-alias":"HOTWORD_MODELS"},
      "threshold":{"type":"number","default":0.5,"x-alias":"HOTWORD_THRESHOLD"},
      "hidden":{"type":"integer","default":1}}})"))
      .value();
}

TEST(Sections, ReadBack) {
  for (const Section section : {Section::settings, Section::modules, Section::software}) {
    EXPECT_EQ(parse_section(to_string(section)).value(), section);
  }
  EXPECT_FALSE(parse_section("Settings"));
}

TEST(SettingsDocument, IsMadeOfEffectiveSettingsAndReadsBack) {
  const std::vector components{hotword()};
  const LayerId fleet{LayerKind::fleet, ""};
  LayerValues values;
  values["hotword.models"] = {parsed(R"(["Hey_Tars.tflite"])"), 3, {}};
  const LayerView layers[] = {{&fleet, &values, 0}};
  const SettingsDocument document =
      make_settings_document(components, resolve(components, layers), {{"name", "TARS"}, {"voice_id", "v1"}});
  const std::string text = R"({"components":{"hotword":")" + components[0]->schema_hash().hex() +
                           R"("},"persona":{"name":"TARS","voice_id":"v1"},"settings":{"hotword.hidden":1,)"
                           R"("hotword.models":["Hey_Tars.tflite"],"hotword.threshold":0.5}})";
  EXPECT_EQ(canonical_json(document.to_json()), text);
  EXPECT_EQ(document.hash(), sha256(text));
  const Result<SettingsDocument> read = SettingsDocument::from_json(parsed(text));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->hash(), document.hash());
  EXPECT_EQ(canonical_json(flat_payload(components, document)),
            R"({"HOTWORD_MODELS":["Hey_Tars.tflite"],"HOTWORD_THRESHOLD":0.5})");
}

TEST(SettingsDocument, WithoutPersonaHasNoSuchMember) {
  const SettingsDocument document = make_settings_document({}, {}, {});
  EXPECT_EQ(canonical_json(document.to_json()), R"({"components":{},"settings":{}})");
}

// A merge patch cannot carry null, and a persona is imported as somebody wrote it.
TEST(SettingsDocument, LeavesOutNullFieldsOfAPersona) {
  const SettingsDocument document = make_settings_document(
      {}, {},
      parsed(R"({"name":"TARS","prompt":null,"a":null,"voice":{"id":"v","pitch":null},"list":[null]})")
          .as_object());
  EXPECT_EQ(canonical_json(document.to_json()),
            R"({"components":{},"persona":{"list":[null],"name":"TARS","voice":{"id":"v"}},"settings":{}})");
}

TEST(SettingsDocument, RefusesTheWrongForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", ""},
      {"{}", "/components"},
      {R"({"components":[],"settings":{}})", "/components"},
      {R"({"components":{"a":7},"settings":{}})", "/components/a"},
      {R"({"components":{}})", "/settings"},
      {R"({"components":{},"settings":{"a.b":null}})", "/settings/a.b"},
      {R"({"components":{},"settings":{},"persona":"TARS"})", "/persona"},
      {R"({"components":{},"settings":{},"persona":{"voice":1}})", "/persona/name"},
  };
  for (const auto& [text, pointer] : cases) {
    const auto read = SettingsDocument::from_json(parsed(text));
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(read.error().field, pointer) << text;
  }
}

}  // namespace
}  // namespace starling::protocol
