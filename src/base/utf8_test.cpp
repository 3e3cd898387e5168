#include "base/utf8.hpp"

#include <gtest/gtest.h>

#include <string>

namespace starling {
namespace {

TEST(Utf8, TextMayBeSplitAnywhere) {
  const std::string text =
      "plain ascii, k\xc3\xa4se, \xe2\x82\xac, \xf0\x9f\x98\x80 and more ascii at the end";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Validator validator;
    EXPECT_TRUE(validator.accepts(text.substr(0, cut)));
    EXPECT_TRUE(validator.accepts(text.substr(cut)));
    EXPECT_TRUE(validator.complete());
  }
}

TEST(Utf8, FaultsAreFoundBehindLongAscii) {
  const std::string ascii(41, 'a');
  EXPECT_TRUE(is_utf8(ascii));
  EXPECT_FALSE(is_utf8(ascii + "\xff"));
  EXPECT_FALSE(is_utf8(ascii + "\xe2\x82"));
  EXPECT_FALSE(is_utf8(ascii + "\xe2\x82" + ascii));
  EXPECT_TRUE(is_utf8(""));
}

}  // namespace
}  // namespace starling
