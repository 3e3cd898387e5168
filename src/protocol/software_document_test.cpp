#include "protocol/software_document.hpp"

#include <gtest/gtest.h>

#include "protocol/canonical_json.hpp"
#include "protocol/document.hpp"

namespace starling::protocol {
namespace {

Result<SoftwareDocument> read(const char* json) {
  return SoftwareDocument::from_json(parse_json(json).value());
}

TEST(SoftwareDocument, NamesAReleaseOrNone) {
  EXPECT_EQ(read(R"({"release":"v1.2.3-rc.1","newer":[1]})")->release, "v1.2.3-rc.1");
  EXPECT_FALSE(read("{}")->release);
  EXPECT_EQ(SoftwareDocument{"v1.2.3"}.to_json(), parse_json(R"({"release":"v1.2.3"})").value());
  EXPECT_EQ(hash_of(SoftwareDocument{}.to_json()), empty_section_hash());
}

TEST(SoftwareDocument, CarriesWhatSwitchesWithIt) {
  const char* text =
      R"({"release":"v1.2.3","with":{"settings":{"settings":{"hotword.threshold":0.9}},"modules":{"ear":{"enabled":true}}}})";
  const auto both = read(text);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->with.settings, (JsonObject{{"settings", JsonObject{{"hotword.threshold", 0.9}}}}));
  EXPECT_EQ(both->with.modules, (JsonObject{{"ear", JsonObject{{"enabled", true}}}}));
  EXPECT_EQ(both->to_json(), parse_json(text).value());
  const char* modules_only = R"({"release":"v1.2.3","with":{"modules":{"ear":null}}})";
  EXPECT_EQ(read(modules_only)->to_json(), parse_json(modules_only).value());
  EXPECT_TRUE(read(R"({"release":"v1.2.3"})")->with.empty());
}

TEST(SoftwareDocument, RefusesWhatIsNone) {
  for (const char* json :
       {"[]", "1", R"({"release":1})", R"({"release":""})", R"({"release":"1.2.3"})", R"({"release":"v1"})",
        R"({"release":"v1.2.3","with":[]})", R"({"release":"v1.2.3","with":{"settings":1}})",
        R"({"with":{"modules":{"ear":null}}})"}) {
    const auto document = read(json);
    ASSERT_FALSE(document) << json;
    EXPECT_EQ(document.error().code, ErrorCode::invalid_argument) << json;
  }
}

}  // namespace
}  // namespace starling::protocol
