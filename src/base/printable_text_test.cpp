#include "base/printable_text.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(PrintableText, HasNoControlCharacters) {
  const struct {
    std::string_view text, printable;
  } cases[] = {
      {"plain", "plain"},
      {"a\tb\r", "a b "},
      {"\x1b[31m", " [31m"},
      {"\xff\xfe", "??"},
      {"\xc2\x9b"
       "31m",
       " 31m"},
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"cut\xe2\x99", "cut??"},
      {"\xed\xa0\x80", "???"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(printable_text(c.text, 64), c.printable);
}

TEST(PrintableText, IsCutBetweenCharacters) {
  EXPECT_EQ(printable_text("gr\xc3\xbc\xc3\x9f", 5), "gr\xc3\xbc");
  EXPECT_EQ(printable_text("gr\xc3\xbc\xc3\x9f", 0), "");
}

}  // namespace
}  // namespace starling
