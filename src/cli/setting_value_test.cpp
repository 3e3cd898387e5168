#include "cli/setting_value.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "cli/printable.hpp"

namespace starling::cli {
namespace {

SettingCatalog catalog() {
  static const Json components = boost::json::parse(R"({"items": [
    {"x-component": "hotword", "properties": {
      "models": {"type": "array", "items": {"type": "string"}, "x-alias": "HOTWORD_MODELS"},
      "threshold": {"type": "number", "x-alias": "HOTWORD_THRESHOLD"},
      "cooldown": {"type": "integer"},
      "phrase": {"type": "string"},
      "enabled": {"type": "boolean"},
      "any": {},
      "mode": {"enum": ["auto", "12"]},
      "text_or_number": {"type": ["string", "number"]}}},
    {"x-component": "logger", "properties": {"level": {"type": "string", "enum": ["DEBUG", "INFO"], "x-alias": "LOG_LEVEL"}}}
  ]})");
  return SettingCatalog(components.get_object());
}

TEST(SettingValue, TheSchemaDecidesWhatTextMeans) {
  const struct {
    std::string_view key, text, value;  // value "": refused
  } cases[] = {
      {"hotword.threshold", "0.6", "0.6"},
      {"HOTWORD_THRESHOLD", "1", "1"},
      {"hotword.threshold", "high", ""},
      {"hotword.threshold", "\"0.6\"", ""},
      {"hotword.cooldown", "5", "5"},
      {"hotword.enabled", "true", "true"},
      {"hotword.enabled", "yes", ""},
      {"hotword.models", R"(["a.tflite"])", R"(["a.tflite"])"},
      {"hotword.models", "a.tflite", ""},
      {"hotword.phrase", "hey tars", R"("hey tars")"},
      {"hotword.phrase", "42", R"("42")"},
      {"hotword.phrase", "true", R"("true")"},
      {"hotword.phrase", "null", R"("null")"},
      {"hotword.phrase", "", R"("")"},
      {"hotword.phrase", R"("hey tars")", R"("hey tars")"},
      {"hotword.mode", "auto", R"("auto")"},
      {"hotword.mode", "12", R"("12")"},
      {"hotword.text_or_number", "12", "12"},
      {"hotword.text_or_number", "twelve", R"("twelve")"},
      {"hotword.any", "[1]", "[1]"},
      {"hotword.threshold", "null", ""},
      {"LOG_LEVEL", "DEBUG", R"("DEBUG")"},
      {"persona.active", "TARS", R"("TARS")"},
  };
  const SettingCatalog known = catalog();
  for (const auto& c : cases) {
    const auto value = known.parse_value(c.key, c.text);
    EXPECT_EQ(value ? boost::json::serialize(*value) : std::string(),
              c.value.empty() ? std::string() : boost::json::serialize(boost::json::parse(c.value)))
        << c.key << "=" << c.text;
  }
}

TEST(SettingValue, ErrorsSayWhatIsWanted) {
  const SettingCatalog known = catalog();
  EXPECT_NE(known.parse_value("hotword.models", "a").error().message.find("takes a list"), std::string::npos);
  EXPECT_NE(
      known.parse_value("hotword.treshold", "1").error().message.find("did you mean 'hotword.threshold'?"),
      std::string::npos);
  EXPECT_NE(known.parse_value("HOTWORD_MODEL", "1").error().message.find("'HOTWORD_MODELS'"),
            std::string::npos);
  EXPECT_NE(known.parse_value("hotword.threshold", "null").error().message.find("settings unset"),
            std::string::npos);
  EXPECT_EQ(known.parse_value("zzz", "1").error().code, ErrorCode::not_found);
}

TEST(SettingValue, ExpectedNullIsNothingWritten) {
  EXPECT_TRUE(catalog().parse_expected("hotword.phrase", "null")->is_null());
  EXPECT_EQ(catalog().parse_expected("hotword.threshold", "0.5"), Json(0.5));
}

TEST(SettingValue, AssignmentsHaveAKey) {
  const auto assigned = parse_assignment("logger.level=a=b");
  ASSERT_TRUE(assigned);
  EXPECT_EQ(assigned->key, "logger.level");
  EXPECT_EQ(assigned->text, "a=b");
  for (const std::string_view bad : {"", "=x", "logger.level"}) {
    EXPECT_EQ(parse_assignment(bad).error().code, ErrorCode::invalid_argument) << bad;
  }
}

}  // namespace
}  // namespace starling::cli
