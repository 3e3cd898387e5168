#include "hub/device_link/crash.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace starling::hub {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

// A device says these things one after the other, and this is what the hub has counted of each kind then.
struct Story {
  const char* title;
  std::vector<const char*> reports;  // of one module
  std::vector<std::string> counted;
};

void PrintTo(const Story& story, std::ostream* out) {
  *out << story.title;
}

class CountedCrashes : public testing::TestWithParam<Story> {
 protected:
  void report(std::string_view module) {
    count_deaths(JsonObject{{"m", *parse_json(module)}}, ++now_ms_, counted, crashes);
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> kinds;
    for (const Crash& crash : crashes)
      kinds.push_back(crash.fingerprint + " " + std::to_string(crash.deaths));
    return kinds;
  }

  JsonObject counted;
  std::vector<Crash> crashes;

 private:
  std::int64_t now_ms_ = 0;
};

constexpr const char* died_of_a_and_b =
    R"({"deaths":5,"last_death":{"fingerprint":"b"},"deaths_by_kind":{"a":{"deaths":3},"b":{"deaths":2}}})";

const Story stories[] = {
    {"ADeviceThatTellsNoKinds",
     {R"({"deaths":2,"last_death":{"fingerprint":"a"}})", R"({"deaths":5,"last_death":{"fingerprint":"b"}})",
      R"({"deaths":5,"last_death":{"fingerprint":"b"}})"},
     {"a 2", "b 3"}},
    {"SeveralKindsAtOnce", {died_of_a_and_b}, {"a 3", "b 2"}},
    {"TheSameAgain", {died_of_a_and_b, died_of_a_and_b}, {"a 3", "b 2"}},
    {"EachByItsOwnDifference",
     {died_of_a_and_b,
      R"({"deaths":9,"last_death":{"fingerprint":"c"},
          "deaths_by_kind":{"a":{"deaths":5},"b":{"deaths":2},"c":{"deaths":2}}})"},
     {"a 5", "b 2", "c 2"}},
    {"OfKindsThatTheDeviceHasNotKept",
     {R"({"deaths":20,"deaths_by_kind":{"a":{"deaths":3},"b":{"deaths":2}}})"},
     {"a 3", "b 2", "other 15"}},
    {"AKindThatCameBackAfterItWasNotKept",
     {died_of_a_and_b, R"({"deaths":7,"deaths_by_kind":{"b":{"deaths":4}}})",
      R"({"deaths":8,"deaths_by_kind":{"b":{"deaths":4},"a":{"deaths":1}}})"},
     {"a 4", "b 4"}},
    {"ADeviceThatWasReset",
     {died_of_a_and_b, R"({})", R"({"deaths":1,"deaths_by_kind":{"a":{"deaths":1}}})"},
     {"a 4", "b 2"}},
    {"ADeviceThatWasResetAndDiedBeforeItTold",
     {died_of_a_and_b, R"({"deaths":4,"deaths_by_kind":{"a":{"deaths":4}}})"},
     {"a 7", "b 2"}},
    {"AnAgentThatHasForgottenTheKinds",
     {died_of_a_and_b, R"({"deaths":6,"deaths_by_kind":{"b":{"deaths":1}}})"},
     {"a 3", "b 3"}},
    {"AnAgentThatLearnsToTellKinds",
     {R"({"deaths":5,"last_death":{"fingerprint":"a"}})",
      R"({"deaths":7,"last_death":{"fingerprint":"b"},"deaths_by_kind":{"b":{"deaths":2}}})"},
     {"a 5", "b 2"}},
    {"KindsThatAreLeftOutForOnce",
     {died_of_a_and_b, R"({"deaths":6,"last_death":{"fingerprint":"a"}})",
      R"({"deaths":7,"last_death":{"fingerprint":"b"},"deaths_by_kind":{"a":{"deaths":4},"b":{"deaths":3}}})"},
     {"a 4", "b 3"}},
    {"NumbersThatCannotBe",
     {R"({"deaths":3,"deaths_by_kind":{"a":{"deaths":-7},"b":{"deaths":1e300},"c":7,"d":{},"e":{"deaths":9}}})",
      R"({"deaths":-1,"deaths_by_kind":{"a":{"deaths":9}}})",
      R"({"deaths":0,"deaths_by_kind":{"a":{"deaths":9}}})"},
     {"e 3"}},
    {"KindsThatAreNone",
     {R"({"deaths":3,"deaths_by_kind":[1],"last_death":{"class":"exit-code"}})"},
     {"exit-code 3"}},
};

TEST_P(CountedCrashes, AreWhatTheDeviceTold) {
  for (const char* each : GetParam().reports)
    report(each);
  EXPECT_THAT(kinds(), testing::UnorderedElementsAreArray(GetParam().counted));
}

INSTANTIATE_TEST_SUITE_P(Stories, CountedCrashes, testing::ValuesIn(stories),
                         [](const auto& suite) { return std::string(suite.param.title); });

TEST_F(CountedCrashes, AreThoseOfAnEarlierHub) {
  counted["m"] = 5;  // it knew nothing of kinds
  report(died_of_a_and_b);
  EXPECT_THAT(kinds(), IsEmpty());
  report(R"({"deaths":7,"deaths_by_kind":{"a":{"deaths":4},"b":{"deaths":3}}})");
  EXPECT_THAT(kinds(), UnorderedElementsAre("a 1", "b 1"));
}

TEST_F(CountedCrashes, SayOfEachKindWhatItIs) {
  report(R"({"deaths":1,"last_death":{"class":"signal","text":"SIGSEGV","fingerprint":"b","release":"v2"},
      "deaths_by_kind":{"a":{"deaths":1,"class":"exit-code","text":"status 3","confidence":"certain","release":"v1"}}})");
  ASSERT_EQ(crashes.size(), 1u);
  EXPECT_EQ(crashes[0].death_class, "exit-code");
  EXPECT_EQ(crashes[0].text, "status 3");
  EXPECT_EQ(crashes[0].confidence, "certain");
  EXPECT_THAT(crashes[0].releases, testing::ElementsAre("v1"));
  EXPECT_EQ(crashes[0].first_ms, 1);
}

TEST_F(CountedCrashes, StayFewWhateverIsTold) {
  std::string kinds = R"("a":{"deaths":1})";
  for (int i = 0; i < 100; ++i)
    kinds += ",\"" + std::to_string(i) + std::string(i, 'x') + "\":{\"deaths\":1}";
  report(R"({"deaths":101,"deaths_by_kind":{)" + kinds + "}}");
  EXPECT_EQ(counted.at("by kind").at("m").as_object().size(), 8u);
  EXPECT_EQ(crashes.size(), 9u) << "and the others are one";
  EXPECT_EQ(crashes.back().fingerprint, "other");
  EXPECT_EQ(crashes.back().deaths, 93);
}

}  // namespace
}  // namespace starling::hub
