#include "cli/log_place.hpp"

#include <gmock/gmock.h>

#include "cli/answer.hpp"

namespace starling::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Texts = std::vector<std::string>;

struct LogPlaceTest : testing::Test {
  static Texts texts(const LogPlace::Lines& lines) {
    Texts all;
    for (const JsonObject& line : lines)
      all.push_back(text_at(line, {"text"}));
    return all;
  }
  Texts take(const Texts& lines, const char* stream = "stdout") {
    Texts shown;
    for (const std::string& line : lines) {
      for (std::string& text : texts(place.take({{"at", "then"}, {"stream", stream}, {"text", line}})))
        shown.push_back(std::move(text));
    }
    return shown;
  }

  LogPlace place;
};

TEST_F(LogPlaceTest, WhatComesOnceMoreIsNotShownTwice) {
  EXPECT_THAT(take({"a", "b", "a"}), ElementsAre("a", "b", "a"));
  place.begin_again();
  EXPECT_THAT(take({"x", "a", "b"}), IsEmpty());
  EXPECT_FALSE(place.is_known());
  EXPECT_THAT(take({"a", "c"}), ElementsAre("c"));
  place.begin_again();
  EXPECT_THAT(take({"c", "d"}), ElementsAre("d")) << "fewer come than were shown";
  EXPECT_TRUE(place.is_known());
}

TEST_F(LogPlaceTest, WhoHasShownNothingShowsAll) {
  place.begin_again();
  EXPECT_THAT(take({"a"}), ElementsAre("a"));
}

TEST_F(LogPlaceTest, NotesAreOfThisReaderAlone) {
  take({"a", "b"});
  EXPECT_THAT(take({"3 lines are left out"}, "note"), ElementsAre("3 lines are left out"));
  place.begin_again();
  EXPECT_THAT(take({"another"}, "note"), IsEmpty());
  EXPECT_THAT(take({"a", "b", "c"}), ElementsAre("c"));
}

TEST_F(LogPlaceTest, WhatTheDeviceHasLostIsPassedOver) {
  take({"a", "b", "lost", "lost too"});
  place.begin_again();
  EXPECT_THAT(take({"a", "b", "c"}), IsEmpty());
  const LogPlace::Settled settled = place.settle();
  EXPECT_THAT(texts(settled.lines), ElementsAre("c"));
  EXPECT_FALSE(settled.may_miss);
  EXPECT_THAT(take({"d"}), ElementsAre("d"));
}

TEST_F(LogPlaceTest, WhereNothingIsKnownAllIsShownAndMayBeLess) {
  take({"a", "b"});
  place.begin_again();
  take({"y", "z"});
  const LogPlace::Settled settled = place.settle();
  EXPECT_THAT(texts(settled.lines), ElementsAre("y", "z"));
  EXPECT_TRUE(settled.may_miss);
}

}  // namespace
}  // namespace starling::cli
