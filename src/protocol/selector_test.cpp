#include "protocol/selector.hpp"

#include <gtest/gtest.h>

namespace starling::protocol {
namespace {

struct Match {
  const char* selector;
  Labels labels;
  bool matches;
};

TEST(Selector, Matches) {
  const Labels nursery{{"room", "nursery"}, {"kind", "toy"}};
  const Match cases[] = {
      {"", {}, true},
      {"  ", nursery, true},
      {"room=nursery", nursery, true},
      {"room=nursery", {}, false},
      {"room=lab", nursery, false},
      {"room=lab|nursery", nursery, true},
      {"room=lab|kitchen", nursery, false},
      {"room!=lab", nursery, true},
      {"room!=lab", {}, true},
      {"room!=lab|nursery", nursery, false},
      {"room", nursery, true},
      {"room", {}, false},
      {"!room", nursery, false},
      {"!room", {}, true},
      {"room=nursery,kind!=lab", nursery, true},
      {"room=nursery,kind=lab", nursery, false},
      {"room=", {{"room", ""}}, true},
      {"room=", nursery, false},
      {"room=|nursery", nursery, true},
  };
  for (const Match& match : cases) {
    const Result<Selector> selector = Selector::parse(match.selector);
    ASSERT_TRUE(selector) << match.selector;
    EXPECT_EQ(selector->matches(match.labels), match.matches) << match.selector;
  }
}

TEST(Selector, CanonicalTextIsSortedWithoutSpacesOrRepeats) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {" kind != lab , room = nursery ", "kind!=lab,room=nursery"},
      {"room=nursery,kind!=lab,room=nursery", "kind!=lab,room=nursery"},
      {"room=b|a|b", "room=a|b"},
      {"! room, room", "room,!room"},
      {"a=", "a="},
  };
  for (const auto& [text, canonical] : cases) {
    const Result<Selector> selector = Selector::parse(text);
    ASSERT_TRUE(selector) << text;
    EXPECT_EQ(selector->canonical(), canonical);
    const Result<Selector> again = Selector::parse(canonical);
    ASSERT_TRUE(again) << canonical;
    EXPECT_EQ(again->canonical(), canonical);
  }
}

TEST(Selector, RefusesAndNamesTheTerm) {
  for (const char* text : {",", "a=b,", ",a=b", "=b", "!=b", "!", "a b", "a==b", "a=b=c", "a!b", "-a=b",
                           "a-=b", "a=b;c", "a in (b)", "\xC3\xA4=b", "!a=b", "a=b|c d"}) {
    const Result<Selector> selector = Selector::parse(text);
    ASSERT_FALSE(selector) << text;
    EXPECT_EQ(selector.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_NE(Selector::parse("room=lab,kind=a b").error().message.find("'kind=a b'"), std::string::npos);
}

TEST(Selector, IsBounded) {
  EXPECT_FALSE(Selector::parse(std::string(64, 'k')));
  EXPECT_TRUE(Selector::parse(std::string(63, 'k')));
  EXPECT_FALSE(Selector::parse("k=" + std::string(64, 'v')));
  EXPECT_FALSE(Selector::parse(std::string(2049, ' ')));
  std::string terms = "k0";
  for (int i = 1; i < 33; ++i)
    terms += ",k" + std::to_string(i);
  EXPECT_FALSE(Selector::parse(terms));
  std::string values = "k=0";
  for (int i = 1; i < 65; ++i)
    values += "|" + std::to_string(i);
  EXPECT_FALSE(Selector::parse(values));
}

TEST(Labels, AreValidated) {
  EXPECT_TRUE(validate_labels({}));
  EXPECT_TRUE(validate_labels({{"room", "nursery"}, {"example.com/rack_1", "A-7"}, {"x", ""}}));
  EXPECT_FALSE(validate_labels({{"", "x"}}));
  EXPECT_FALSE(validate_labels({{".x", "x"}}));
  EXPECT_FALSE(validate_labels({{"x/", "x"}}));
  EXPECT_FALSE(validate_labels({{"x y", "x"}}));
  EXPECT_FALSE(validate_labels({{"x", "a,b"}}));
  EXPECT_FALSE(validate_labels({{"x", std::string(64, 'v')}}));
  Labels many;
  for (int i = 0; i < 65; ++i)
    many.emplace("k" + std::to_string(i), "");
  EXPECT_FALSE(validate_labels(many));
}

}  // namespace
}  // namespace starling::protocol
