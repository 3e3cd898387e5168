// The faults that the fleet simulator asks of its store; the rest is in store_contract_test.cpp.
#include "hub/store/memory_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class MemoryStoreTest : public testing::Test {
 protected:
  static Batch nth_batch(std::int64_t revision) {
    return batch_of({make_change("home", revision, {set_setting("a.x", revision)})});
  }
  // Notes what the hub hears.
  void ask(std::int64_t revision) {
    store_.commit(nth_batch(revision), [this, revision](const Result<void>& outcome) {
      heard_.push_back(std::to_string(revision) + " " +
                       std::string(outcome ? "stored" : to_string(outcome.error().code)));
    });
  }
  std::int64_t head() {
    const auto hub = store_.load();
    return hub->fleets.empty() ? 0 : hub->fleets[0].head;
  }

  TurnExecutor executor_;
  ManualClock clock_;
  MemoryStore store_{executor_, clock_, "generation-1"};
  std::vector<std::string> heard_;
};

TEST_F(MemoryStoreTest, AFailureMeetsOneWrite) {
  store_.fail_next_write({ErrorCode::unavailable, "the disk is full", {}});
  ask(1);
  ask(1);
  executor_.run_posted();
  EXPECT_THAT(heard_, ElementsAre("1 unavailable", "1 stored"));
  EXPECT_EQ(head(), 1);
}

TEST_F(MemoryStoreTest, ACrashLosesWhatHadNotReachedTheDisk) {
  for (std::size_t reached = 0; reached <= 4; ++reached) {
    const std::int64_t before = head();
    heard_.clear();
    for (std::int64_t i = 1; i <= 3; ++i)
      ask(before + i);
    EXPECT_EQ(store_.writes_in_flight(), 3u);
    store_.crash(reached);
    executor_.run_posted();  // turns of the hub that is gone
    EXPECT_THAT(heard_, IsEmpty());
    EXPECT_EQ(head(), before + static_cast<std::int64_t>(std::min<std::size_t>(reached, 3)));
    EXPECT_EQ(store_.writes_in_flight(), 0u);
  }
  ask(head() + 1);  // the next hub
  executor_.run_posted();
  EXPECT_THAT(heard_, testing::SizeIs(1));
}

TEST_F(MemoryStoreTest, ACrashSilencesReadsAndDropsTheArmedFailure) {
  bool heard = false;
  store_.fail_next_write({ErrorCode::io, "", {}});
  store_.read_changes({.fleet = "home"}, [&](const auto&) { heard = true; });
  store_.crash();
  ask(1);
  executor_.run_posted();
  EXPECT_FALSE(heard);
  EXPECT_THAT(heard_, ElementsAre("1 stored"));
}

TEST_F(MemoryStoreTest, ARestoredBackupIsANewGeneration) {
  ask(1);
  executor_.run_posted();
  const MemoryStore::Snapshot backup = store_.snapshot();
  ask(2);
  executor_.run_posted();
  store_.crash();
  store_.restore(backup, "generation-2");
  const auto hub = store_.load();
  EXPECT_EQ(hub->generation, "generation-2");
  EXPECT_EQ(hub->fleets.at(0).head, 1);
  EXPECT_EQ(entity_table(hub->fleets[0]), (EntityTable{{"setting fleet a.x", {"1", 1}}}));
}

TEST_F(MemoryStoreTest, TurnsThatOutliveTheStoreDoNothing) {
  bool heard = false;
  {
    MemoryStore short_lived(executor_, clock_, "g");
    short_lived.commit(nth_batch(1), [&](const auto&) { heard = true; });
  }
  executor_.run_posted();
  EXPECT_FALSE(heard);
}

}  // namespace
}  // namespace starling::hub
