#include "keeper/start_counter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.hpp"
#include "keeper/restart_backoff.hpp"

namespace starling::keeper {
namespace {

class Counting : public testing::Test {
 protected:
  std::string file() const { return folder_ / "keeper.state"; }
  StartCounter counter() const { return {file(), log_}; }

  ManualClock clock_;
  Log log_{clock_, Log::Format::text};
  TemporaryFolder folder_;
};

TEST_F(Counting, OutlivesTheKeeper) {
  StartCounter first = counter();
  first.starting();
  first.ended(true);
  first.starting();
  first.ended(false);
  StartCounter second = counter();
  second.starting();
  EXPECT_EQ(second.counts(), (StartCounts{.starts = 3, .crashes = 1, .unrecorded = 0, .running = true}));
}

TEST_F(Counting, AStartWhoseEndNobodySawIsNoCrash) {
  for (int start = 0; start < 3; ++start)
    counter().starting();
  EXPECT_EQ(counter().counts(), (StartCounts{.starts = 3, .crashes = 0, .unrecorded = 3}));
}

TEST_F(Counting, HealthBeginsAnew) {
  StartCounter first = counter();
  first.starting();
  first.ended(true);
  first.starting();
  first.healthy();
  EXPECT_EQ(first.counts(), (StartCounts{.running = true}));
  EXPECT_EQ(counter().counts(), (StartCounts{.unrecorded = 1})) << "the healthy start was cut short";
}

TEST_F(Counting, ADamagedFileCountsFromNothing) {
  for (const char* text :
       {"", "starts", "starts=", "starts=-4\ncrashes=x", "\xff\xfe", "unrecorded=99999999999999"}) {
    std::ofstream(file()) << text;
    EXPECT_EQ(counter().counts(), StartCounts{}) << text;
  }
}

TEST_F(Counting, GoesOnWhenNothingCanBeSaved) {
  StartCounter nowhere("/proc/no-such-folder/keeper.state", log_);
  nowhere.starting();
  EXPECT_EQ(nowhere.counts().starts, 1u);
}

TEST(StartCountsText, ComesBack) {
  const StartCounts counts{.starts = 4'000'000'000, .crashes = 2, .unrecorded = 1, .running = true};
  EXPECT_EQ(parse_start_counts(to_text(counts)), counts);
}

TEST(RestartBackoff, DoublesUpToAMinuteAndForgivesAGoodLife) {
  RestartBackoff backoff;
  std::vector<std::int64_t> delays;
  for (int crash = 0; crash < 11; ++crash)
    delays.push_back(backoff.after_life_of(Milliseconds(10)).count());
  EXPECT_THAT(delays,
              testing::ElementsAre(200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000));
  EXPECT_EQ(backoff.after_life_of(Milliseconds(59'999)).count(), 60'000);
  EXPECT_EQ(backoff.after_life_of(Milliseconds(60'000)).count(), 200);
  EXPECT_EQ(backoff.after_life_of(Milliseconds(0)).count(), 400);
}

}  // namespace
}  // namespace starling::keeper
