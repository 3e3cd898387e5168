#include "base/json_text.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(JsonText, IsWhatPeopleWouldWrite) {
  for (const char* text : {"null", "true", "[]", "{}", "0.7", "-3", "18446744073709551615", "1e+100",
                           R"({"b":1,"a":[0.5,"x"]})", R"("a\"b\\c\n\r\t\u0001/é")"}) {
    const auto value = parse_json(text);
    ASSERT_TRUE(value) << text;
    EXPECT_EQ(json_text(*value), text);
  }
  EXPECT_EQ(json_text(Json(5.0)), "5");
}

TEST(JsonText, ReadsBackAsTheSameValue) {
  for (const double number : {0.1, 1.0 / 3, 1e-7, 5e-324, 1.7976931348623157e308}) {
    const auto again = parse_json(json_text(Json(number)));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->to_number<double>(), number);
  }
}

}  // namespace
}  // namespace starling
