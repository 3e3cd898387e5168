#include "agent/supervisor/processes/resource_sampler.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

// A /proc of our own making, in which processes spend what they are told to.
struct Sampled : testing::Test {
  Sampled()
      : root(fs::temp_directory_path() / ("starling-proc-" + std::to_string(::getpid()))),
        table(root),
        trees(table, std::nullopt, "/state", {}),
        sampler(table, trees, clock) {
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~Sampled() override { fs::remove_all(root); }

  void process(std::int32_t pid, const std::string& module, int ticks, int pss_kb, int descriptors = 3) {
    const fs::path folder = root / std::to_string(pid);
    fs::create_directories(folder / "fd");
    for (int i = 0; i < descriptors; ++i)
      std::ofstream(folder / "fd" / std::to_string(i)) << "";
    std::ofstream(folder / "stat") << pid << " (x y) S 1 " << pid << " " << pid << " 0 -1 0 0 0 0 0 " << ticks
                                   << " 0 0 0 20 0 1 0 1000 0 0\n";
    std::ofstream(folder / "environ") << "A=1" << '\0' << variable(module) << '\0';
    std::ofstream(folder / "smaps_rollup") << "00400000 [rollup]\nRss:  9 kB\nPss:   " << pss_kb << " kB\n";
  }
  std::string variable(const std::string& module) {
    ModuleManifest manifest;
    manifest.name = module;
    const auto place = trees.make(manifest, module + ":1").value();
    return place.environment[0].first + "=" + place.environment[0].second;
  }
  void round() {
    clock.advance(ResourceSampler::round);
    sampler.tick();
  }

  fs::path root;
  ManualClock clock;
  ProcessTable table;
  ProcessTrees trees;
  ResourceSampler sampler;
};

TEST_F(Sampled, AddsUpTheProcessesOfAModule) {
  process(100'000'001, "a", 10, 200, 3);
  process(100'000'002, "a", 5, 100, 70);
  process(100'000'003, "b", 1, 50);
  round();
  ASSERT_EQ(sampler.use().size(), 2u);
  const ResourceUse& a = sampler.use().at("a");
  EXPECT_EQ(a.processes, 2u);
  EXPECT_EQ(a.memory_kb, 300u);
  EXPECT_EQ(a.cpu_us, 15u * 1'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
  EXPECT_EQ(a.cpu_percent, 0);  // since when is not known
  EXPECT_GT(a.descriptors, 0u);
}

TEST_F(Sampled, CountsWhatIsSpentBetweenRoundsAndNeverFalls) {
  const auto per_second = static_cast<int>(::sysconf(_SC_CLK_TCK));
  process(100'000'001, "a", 0, 1);
  process(100'000'002, "a", 2 * per_second, 1);
  round();
  process(100'000'001, "a", 15 * per_second, 1);
  round();
  EXPECT_EQ(sampler.use().at("a").cpu_percent, 50);
  EXPECT_EQ(sampler.use().at("a").cpu_us, 17'000'000u);
  fs::remove_all(root / "100000002");
  round();
  EXPECT_EQ(sampler.use().at("a").cpu_us, 17'000'000u);
  fs::remove_all(root / "100000001");
  round();
  EXPECT_TRUE(sampler.use().empty());
}

TEST_F(Sampled, WhatHasEndedUsesNothing) {
  process(100'000'001, "a", 10, 200);
  process(100'000'002, "b", 10, 200);
  round();
  sampler.ended("a");
  EXPECT_EQ(sampler.use().size(), 1u);
  EXPECT_TRUE(sampler.use().contains("b"));
}

TEST_F(Sampled, ManyProcessesAreLookedAtInSlices) {
  for (int i = 0; i < 40; ++i)
    process(100'000'000 + i, "m" + std::to_string(i), 1, 1);
  round();
  EXPECT_EQ(sampler.use().size(), ResourceSampler::slice);
  EXPECT_EQ(sampler.next_deadline(), clock.steady() + ResourceSampler::between_slices);
  sampler.tick();  // too early
  EXPECT_EQ(sampler.use().size(), ResourceSampler::slice);
  for (int i = 0; i < 2; ++i) {
    clock.advance(ResourceSampler::between_slices);
    sampler.tick();
  }
  EXPECT_EQ(sampler.use().size(), 40u);
  EXPECT_GT(sampler.next_deadline(), clock.steady() + 20 * ResourceSampler::between_slices);
}

TEST_F(Sampled, WhatCannotBeReadIsLeftOut) {
  process(100'000'001, "a", 1, 1);
  fs::remove(root / "100000001/smaps_rollup");
  fs::create_directories(root / "100000002");  // gone meanwhile
  std::ofstream(root / "uptime") << "1 1\n";
  round();
  EXPECT_EQ(sampler.use().at("a").memory_kb, std::nullopt);
}

}  // namespace
}  // namespace starling::agent
