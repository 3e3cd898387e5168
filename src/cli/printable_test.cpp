#include "cli/printable.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace starling::cli {
namespace {

TEST(Printable, EscapesWhatActsOnATerminal) {
  const struct {
    std::string_view text, printed;
  } cases[] = {
      {"bear-1", "bear-1"},
      {"Bär 熊 🐻", "Bär 熊 🐻"},
      {"a\nb\tc\r", "a\\nb\\tc\\r"},
      {"\x1b[2Jgone", "\\x1b[2Jgone"},
      {"\x7f", "\\x7f"},
      {"\xc2\x9b"
       "31m",
       "\\u009b31m"},                                   // C1: CSI in one character
      {"abc\xe2\x80\xaegnp.exe", "abc\\u202egnp.exe"},  // right-to-left override
      {"\xff\xfe", "\\xff\\xfe"},                       // no UTF-8
      {"\xc0\x80", "\\xc0\\x80"},                       // overlong
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},              // surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},     // past the last code point
      {"cut \xe7\x86", "cut \\xe7\\x86"},               // truncated
      {std::string_view("\0", 1), "\\x00"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(printable(c.text), c.printed);
}

TEST(Printable, LinesKeepTheirFeeds) {
  EXPECT_EQ(printable_lines("a\nb\x1b"), "a\nb\\x1b");
}

TEST(Printable, WidthCountsColumns) {
  const struct {
    std::string_view text;
    std::size_t width;
  } cases[] = {{"", 0}, {"abc", 3}, {"Bär", 3}, {"熊", 2}, {"🐻x", 3}, {"e\xcc\x81", 1}, {"… →", 3}};
  for (const auto& c : cases)
    EXPECT_EQ(display_width(c.text), c.width) << c.text;
}

TEST(Printable, CutsBetweenCharacters) {
  const struct {
    std::string_view text;
    std::size_t columns;
    std::string_view cut;
  } cases[] = {{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"熊熊熊", 4, "熊…"}, {"熊熊熊", 5, "熊熊…"},
               {"abc", 1, "…"},   {"abc", 0, ""},     {"Bärä", 3, "Bä…"}};
  for (const auto& c : cases)
    EXPECT_EQ(cut_to_width(c.text, c.columns), c.cut) << c.text << " " << c.columns;
}

TEST(Printable, PrettyJsonIsTheSameValueAndSafe) {
  const Json value = boost::json::parse(R"({"name":"熊\u001b[2J\u009b\u202e","list":[1,2.5,"x"],"empty":{},)"
                                        R"("deep":[{"a":null,"b":[]}],"on":true,"tag":"\udb40\udc41"})");
  const std::string pretty = pretty_json(value);
  EXPECT_EQ(boost::json::parse(pretty), value);
  EXPECT_EQ(printable_lines(pretty), pretty);
  EXPECT_NE(pretty.find("熊"), std::string::npos);
  EXPECT_NE(pretty.find("\n  \"deep\": [\n    {\n      \"a\": null,"), std::string::npos) << pretty;
}

TEST(Printable, ValuesAreShownAsPeopleWriteThem) {
  const struct {
    std::string_view json, shown;
  } cases[] = {{"\"TARS\"", "TARS"},
               {"0.6", "0.6"},
               {"5", "5"},
               {"5.0", "5"},
               {"{\"a\":[0.25,{}]}", "{\"a\":[0.25,{}]}"},
               {"1e300", "1e+300"},
               {"true", "true"},
               {"null", "null"},
               {"[\"a.tflite\",0.5]", "[\"a.tflite\", 0.5]"},
               {"{\"a\":1}", "{\"a\":1}"},
               {"\"\\u001b\"", "\\x1b"}};
  for (const auto& c : cases)
    EXPECT_EQ(show_value(boost::json::parse(c.json)), c.shown);
}

}  // namespace
}  // namespace starling::cli
