#include "cli/device_lookup.hpp"

#include <gtest/gtest.h>

#include "cli/fake_hub.hpp"

namespace starling::cli {
namespace {

constexpr auto frog = "0192f0c1-7a30-7cc0-9b07-51c0aa4be002";
constexpr auto twin = "0192f0c2-0000-7000-8000-000000000001";
constexpr auto other_twin = "0192f0c2-0000-7000-8000-000000000002";

JsonArray devices() {
  JsonArray out;
  for (const auto& [id, name] :
       {std::pair{bear, "bear-1"}, {frog, "0192f0c2"}, {twin, "twin"}, {other_twin, "twin"}}) {
    out.push_back(JsonObject{{"device_uuid", id}, {"device_name", name}});
  }
  return out;
}

TEST(DeviceLookup, ByUuidNameOrUniquePrefix) {
  const struct {
    std::string_view wanted, id;
    ErrorCode error = ErrorCode::internal;
  } cases[] = {
      {bear, bear},
      {"0192F0C1-7A30-7CC0-8A51-3D2B6F0E9A11", bear},
      {"bear-1", bear},
      {"0192f0c1-7a30-7cc0-8", bear},
      {"0192f0c2", frog},  // a name beats prefixes
      {"0192f0c1", "", ErrorCode::invalid_argument},
      {"twin", "", ErrorCode::invalid_argument},
      {"019", "", ErrorCode::not_found},  // too short to mean anything
      {"bear", "", ErrorCode::not_found},
      {"", "", ErrorCode::not_found},
  };
  const JsonArray known = devices();
  for (const auto& c : cases) {
    const auto id = match_device(c.wanted, known);
    EXPECT_EQ(id.value_or(""), c.id) << c.wanted;
    if (!id) {
      EXPECT_EQ(id.error().code, c.error) << c.wanted;
    }
  }
}

TEST(DeviceLookup, ErrorsHelp) {
  const JsonArray known = devices();
  EXPECT_NE(match_device("baer-1", known).error().message.find("did you mean 'bear-1'?"), std::string::npos);
  const std::string ambiguous = match_device("twin", known).error().message;
  EXPECT_NE(ambiguous.find(twin), std::string::npos) << ambiguous;
  EXPECT_NE(ambiguous.find(other_twin), std::string::npos) << ambiguous;
}

TEST(DeviceLookup, ShownPrefixesAreUnique) {
  const auto ids = short_ids(devices());
  ASSERT_EQ(ids.size(), 4U);
  EXPECT_EQ(ids[2], twin);
  EXPECT_EQ(ids[3], other_twin);
  const auto apart =
      short_ids(JsonArray{JsonObject{{"device_uuid", bear}}, JsonObject{{"device_uuid", frog}}});
  EXPECT_EQ(apart[0], "0192f0c1-7a30-7cc0-8");
  EXPECT_EQ(short_ids(JsonArray{JsonObject{{"device_uuid", bear}}})[0], "0192f0c1-7a30");
}

}  // namespace
}  // namespace starling::cli
