#include "cli/window.hpp"

#include <gmock/gmock.h>

namespace starling::cli {
namespace {

TEST(Window, IsReadAsPeopleWriteIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"Mon-Fri 02:00-04:00",
       R"({"days":["mon","tue","wed","thu","fri"],"at":"02:00","minutes":120,"timezone":"UTC"})"},
      {"sat,SUN 22:00-06:00 Europe/Berlin",
       R"({"days":["sat","sun"],"at":"22:00","minutes":480,"timezone":"Europe/Berlin"})"},
      {"Sat-Mon 00:00-24:00", R"({"days":["mon","sat","sun"],"at":"00:00","minutes":1440,"timezone":"UTC"})"},
      {"  02:30-03:00  ", R"({"days":["mon","tue","wed","thu","fri","sat","sun"],"at":"02:30","minutes":30,
                              "timezone":"UTC"})"},
  };
  for (const auto& [text, json] : cases) {
    const auto window = parse_window(text);
    ASSERT_TRUE(window) << text;
    EXPECT_EQ(Json(*window), *parse_json(json)) << text;
  }
}

TEST(Window, IsSaidAgain) {
  for (const char* text : {"sat,sun 22:00-06:00 Europe/Berlin", "02:00-04:00 UTC"})
    EXPECT_EQ(window_text(*parse_window(text)), text);
  EXPECT_EQ(window_text({}), "");
}

TEST(Window, WhatIsNoneIsSaid) {
  for (const char* text :
       {"", " ", "Mon", "Mon-Fri", "Mo-Fr 02:00-04:00", "02:00", "2-4", "02:00-25:00", "Mon- 02:00-04:00",
        "02:00-04:00 Mars Base", "Mon-Fri 02:00 04:00", "-", ",", "Mon,Xyz 02:00-04:00"}) {
    const auto window = parse_window(text);
    ASSERT_FALSE(window) << text;
    EXPECT_THAT(window.error().message, testing::HasSubstr("such as 'Mon-Fri 02:00-04:00'"));
  }
}

}  // namespace
}  // namespace starling::cli
