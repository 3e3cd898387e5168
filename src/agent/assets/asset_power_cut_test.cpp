// The promise of assets: the power may be cut, or the disk be full, at every operation that changes the disk,
// from the offer of a document until what it replaced has been collected. What comes up runs the old document
// or the new one, each with all of its files, and gets to the new one at the next attempt.
#include "agent/assets/asset_bench.hpp"

namespace starling::agent {
namespace {

const std::string kept = "the same in both";

struct Story {
  const char* title;
  std::function<void(AssetBench&)> act;
  std::int64_t becomes;
};

const std::vector<Story> stories{
    {"a document with other files",
     [](AssetBench& b) {
       b.offer(b.document(2, {{"baa.wav", baa}, {"kept.wav", kept}}));
     },
     2},
    {"other content under the same names",
     [](AssetBench& b) {
       b.offer(b.document(2, {{"moo.wav", baa}, {"kept.wav", kept}}));
     },
     2},
    {"one without files", [](AssetBench& b) { b.offer(b.document(2, {}, 9)); }, 2},
    {"one that does not work",
     [](AssetBench& b) {
       b.offer(b.document(2, {{"baa.wav", baa}}));
       b.settings->unhealthy("deaf");
       b.run();
     },
     1},
};

void prepare(AssetBench& bench) {
  for (const std::string& each : {moo, baa, kept})
    bench.has(each);
  ASSERT_TRUE(bench.restart());
  bench.offer(bench.document(1, {{"moo.wav", moo}, {"kept.wav", kept}}));
  bench.pass(Seconds(60));
  bench.run();
  ASSERT_EQ(bench.settings->cursor().revision, 1);
}

void act(AssetBench& bench, const Story& story) {
  story.act(bench);
  if (!bench.disk.crashed()) bench.pass(Seconds(60));
}

void expect_sound(AssetBench& bench) {
  const std::int64_t revision = bench.settings->cursor().revision;
  EXPECT_TRUE(revision == 1 || revision == 2);
  EXPECT_EQ(bench.damaged.size(), 0u);
  bench.expect_whole();
}

void expect_arrival(AssetBench& bench, const Story& story) {
  if (story.becomes == 1) return;
  act(bench, story);
  EXPECT_EQ(bench.settings->cursor().revision, 2);
  expect_sound(bench);
  bench.run();
  EXPECT_EQ(bench.kept_files(), std::set<Digest>([&] {
                                  std::set<Digest> files;
                                  for (const auto& [name, file] : bench.settings->document().assets)
                                    files.insert(file.sha256);
                                  return files;
                                }())
                                    .size());
}

using Counted = std::uint64_t (FakeDisk::*)() const;

std::uint64_t operations_of(const Story& story, FakeDisk::Unsynced unsynced, std::uint64_t seed,
                            Counted counted) {
  AssetBench whole(seed, unsynced);
  prepare(whole);
  const std::uint64_t before = (whole.disk.*counted)();
  act(whole, story);
  EXPECT_EQ(whole.settings->cursor().revision, story.becomes);
  return (whole.disk.*counted)() - before;
}

TEST(AssetPowerCut, AtEveryStepLeavesADocumentWithItsFiles) {
  for (const Story& story : stories) {
    for (const auto unsynced :
         {FakeDisk::Unsynced::lost, FakeDisk::Unsynced::kept, FakeDisk::Unsynced::drawn}) {
      for (std::uint64_t seed = 1; seed <= (unsynced == FakeDisk::Unsynced::drawn ? 3u : 1u); ++seed) {
        const std::uint64_t steps = operations_of(story, unsynced, seed, &FakeDisk::steps);
        for (std::uint64_t step = 1; step <= steps; ++step) {
          SCOPED_TRACE(std::string(story.title) + ", step " + std::to_string(step) + ", unsynced " +
                       std::to_string(static_cast<int>(unsynced)) + ", seed " + std::to_string(seed));
          AssetBench bench(seed, unsynced);
          prepare(bench);
          bench.disk.crash_after(step);
          act(bench, story);
          bench.disk.restore_power();
          bench.hub_is_there = false;
          ASSERT_TRUE(bench.restart());
          expect_sound(bench);  // without the hub's help
          bench.hub_is_there = true;
          expect_arrival(bench, story);
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  }
}

TEST(AssetPowerCut, AFullDiskAtEveryWriteLeavesADocumentWithItsFiles) {
  for (const Story& story : stories) {
    const std::uint64_t writes = operations_of(story, FakeDisk::Unsynced::lost, 1, &FakeDisk::writes);
    for (std::uint64_t write = 0; write < writes; ++write) {
      SCOPED_TRACE(std::string(story.title) + ", write " + std::to_string(write));
      AssetBench bench;
      prepare(bench);
      bench.disk.full_after(write);
      act(bench, story);
      expect_sound(bench);
      bench.disk.make_room();
      bench.hub_is_there = false;
      ASSERT_TRUE(bench.restart());
      expect_sound(bench);
      bench.hub_is_there = true;
      expect_arrival(bench, story);
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace starling::agent
