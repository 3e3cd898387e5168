#include "hub/device_link/update_times.hpp"

#include <gtest/gtest.h>

#include "protocol/document.hpp"

namespace starling::hub {
namespace {

using protocol::Phase;

const Digest wanted = sha256("a section");

SectionRecord at(Phase phase, const Digest& running = protocol::empty_section_hash(),
                 const Digest& refused = {}) {
  return {wanted, running, refused, phase, 1};
}

JsonObject said(std::string_view state, std::int64_t failed_ms = 0, std::string_view version = "") {
  JsonObject software{{"state", state}};
  if (failed_ms != 0) software["failure"] = JsonObject{{"at_ms", failed_ms}};
  if (!version.empty()) software["wanted"] = version;
  return {{"software", std::move(software)}};
}

class TimesOfUpdates : public testing::Test {
 protected:
  void note(const SectionRecord& told, const JsonObject& reported, std::int64_t now_ms) {
    note_update(times, told, reported, now_ms);
  }
  std::vector<UpdateTimes> times;
};

TEST_F(TimesOfUpdates, BeginWithWorkAndEndWithItsOutcome) {
  note(at(Phase::staging), {}, 1);
  note(at(Phase::staging), said("pending"), 2);
  EXPECT_TRUE(times.empty());
  note(at(Phase::staging), said("downloading"), 3);
  note(at(Phase::staging), said("installing"), 4);
  note(at(Phase::staging), said("waiting"), 5);
  note(at(Phase::provisional, wanted), said("provisional"), 6);
  EXPECT_EQ(times, (std::vector<UpdateTimes>{{wanted, 3, 0}}));
  note(at(Phase::applied, wanted), said("confirmed"), 7);
  note(at(Phase::applied, wanted), said("confirmed"), 8);
  EXPECT_EQ(times, (std::vector<UpdateTimes>{{wanted, 3, 7}}));
}

TEST_F(TimesOfUpdates, WhatWasFetchedBeforeItCouldBeSaidHasBegunAllTheSame) {
  note(at(Phase::staging), said("waiting"), 5);
  EXPECT_EQ(times, (std::vector<UpdateTimes>{{wanted, 5, 0}}));
}

TEST_F(TimesOfUpdates, WhatRanBeforeAnybodyKeptTimesHasNone) {
  note(at(Phase::applied, wanted), said("confirmed"), 5);
  note({protocol::empty_section_hash(), protocol::empty_section_hash(), {}, Phase::staging, 1},
       said("installing"), 5);
  EXPECT_TRUE(times.empty());
}

TEST_F(TimesOfUpdates, AFailureWithoutALinkIsTimedByTheDevice) {
  for (const auto& [failed_ms, ended_ms] :
       {std::pair<std::int64_t, std::int64_t>{15, 15}, {5, 20}, {90, 20}}) {
    times = {{wanted, 10, 0}};
    note(at(Phase::reverted, protocol::empty_section_hash(), wanted), {}, 20);
    note(at(Phase::reverted, protocol::empty_section_hash(), wanted), said("reverted", failed_ms), 21);
    EXPECT_EQ(times, (std::vector<UpdateTimes>{{wanted, 10, ended_ms}})) << failed_ms;
  }
}

TEST_F(TimesOfUpdates, AreOfTheReleaseWhateverComesWithIt) {
  const Digest plain = section_hash_of("v1.1.0"), former = section_hash_of("v1.0.0");
  note(at(Phase::staging, former), said("downloading", 0, "v1.1.0"), 3);
  note({plain, plain, {}, Phase::provisional, 1}, said("provisional", 0, "v1.1.0"), 4);
  EXPECT_EQ(times, (std::vector<UpdateTimes>{{plain, 3, 0}}));
  note({plain, plain, {}, Phase::applied, 1}, said("confirmed"), 5);
  EXPECT_EQ(times, (std::vector<UpdateTimes>{{plain, 3, 5}}));
  note(at(Phase::staging, former), said("downloading", 0, "v1.1.0"), 6);
  note(at(Phase::reverted, former, wanted), said("reverted", 8, "v1.1.0"), 9);
  EXPECT_EQ(times, (std::vector<UpdateTimes>{{plain, 6, 8}}));
}

TEST_F(TimesOfUpdates, AreThoseOfTheLastReleases) {
  for (int i = 1; i <= 6; ++i)
    note_update(times, sha256(std::to_string(i)), "downloading", i);
  ASSERT_EQ(times.size(), max_update_times);
  EXPECT_EQ(times.front().started_ms, 6);
  EXPECT_EQ(times_of(times, sha256("1")), nullptr);
  const Json stored = to_json(times);
  EXPECT_EQ(update_times_from_json(&stored), times);
}

}  // namespace
}  // namespace starling::hub
