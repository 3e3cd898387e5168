#include "protocol/version.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace starling::protocol {
namespace {

TEST(Version, IsReadAndWrittenAlike) {
  for (const char* text : {"v0.0.0", "v1.2.3", "v10.20.30", "v1.2.3-rc.1", "v1.0.0-alpha-a.b-c", "v1.0.0-0",
                           "v999999999.999999999.999999999", "v1.0.0--", "v1.0.0-0a"}) {
    const auto version = parse_version(text);
    ASSERT_TRUE(version) << text;
    EXPECT_EQ(to_string(*version), text);
  }
}

TEST(Version, IsNothingElse) {
  for (const char* text : {"",
                           "v",
                           "1.2.3",
                           "V1.2.3",
                           "v1",
                           "v1.2",
                           "v1.2.",
                           "v1.2.3.",
                           "v1.2.3.4",
                           "v.1.2",
                           "v1..2",
                           "v01.2.3",
                           "v1.2.03",
                           "v1.2.3-",
                           "v1.2.3-a..b",
                           "v1.2.3-a.",
                           "v1.2.3-.a",
                           "v1.2.3-01",
                           "v1.2.3+build",
                           "v1.2.3-a+b",
                           " v1.2.3",
                           "v1.2.3 ",
                           "v1.2.3\n",
                           "v-1.2.3",
                           "v1.2.x",
                           "v1000000000.0.0",
                           "v99999999999999999999.0.0",
                           "v1.2.3-ä",
                           "v1.2.3/..",
                           "v1.2.3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    const auto version = parse_version(text);
    ASSERT_FALSE(version) << text;
    EXPECT_EQ(version.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(version.error().message.find("v1.2.3"), std::string::npos);
  }
}

TEST(Version, ComparesAsSemverSays) {
  const std::vector<const char*> ascending{
      "v0.0.1",      "v0.1.0",        "v1.0.0-1",       "v1.0.0-2",
      "v1.0.0-10",   "v1.0.0-alpha",  "v1.0.0-alpha.1", "v1.0.0-alpha.beta",
      "v1.0.0-beta", "v1.0.0-beta.2", "v1.0.0-beta.11", "v1.0.0-rc.1",
      "v1.0.0",      "v1.0.9",        "v1.0.10",        "v1.2.0",
      "v1.10.0",     "v2.0.0-rc.1",   "v2.0.0",         "v10.0.0"};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      EXPECT_EQ(parse_version(ascending[i]).value() <=> parse_version(ascending[j]).value(), i <=> j)
          << ascending[i] << " and " << ascending[j];
    }
  }
}

TEST(Version, IsCountedUp) {
  struct Case {
    const char* from;
    VersionPart part;
    const char* to;
  };
  using enum VersionPart;
  for (const Case& c : std::vector<Case>{{"v1.2.3", patch, "v1.2.4"},
                                         {"v1.2.3", minor, "v1.3.0"},
                                         {"v1.2.3", major, "v2.0.0"},
                                         {"v1.2.3-rc.1", patch, "v1.2.3"},
                                         {"v1.2.3-rc.1", minor, "v1.3.0"},
                                         {"v1.2.3-rc.1", major, "v2.0.0"},
                                         {"v1.3.0-rc.1", minor, "v1.3.0"},
                                         {"v1.3.0-rc.1", major, "v2.0.0"},
                                         {"v2.0.0-rc.1", major, "v2.0.0"},
                                         {"v2.0.0-rc.1", patch, "v2.0.0"}}) {
    EXPECT_EQ(to_string(bump(parse_version(c.from).value(), c.part).value()), c.to) << c.from;
  }
  EXPECT_EQ(bump(parse_version("v1.2.999999999").value(), patch).error().code,
            ErrorCode::failed_precondition);
}

}  // namespace
}  // namespace starling::protocol
