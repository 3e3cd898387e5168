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

TEST(Utf8, IsCutBetweenCharacters) {
  const std::string text = "k\xc3\xa4se\xf0\x9f\x98\x80";
  EXPECT_EQ(cut_utf8(text, 2), "k");
  EXPECT_EQ(cut_utf8(text, 3), "k\xc3\xa4");
  EXPECT_EQ(cut_utf8(text, 8), "k\xc3\xa4se");
  EXPECT_EQ(cut_utf8(text, 9), text);
  EXPECT_EQ(cut_utf8(text, 100), text);
  EXPECT_EQ(cut_utf8("\xa4\xa4\xa4", 2), "");
}

}  // namespace
}  // namespace starling
