#include "fleetsim/deterministic/seeds_mode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "fleetsim/deterministic/simulation.hpp"

namespace starling::fleetsim {

namespace {

constexpr std::uint64_t enough_for_all_trouble = 100;

SimulationResult run_twice(std::uint64_t seed, bool trace) {
  SimulationResult first = Simulation(seed, trace).run();
  const SimulationResult second = Simulation(seed).run();
  if (first.trace != second.trace) first.failures.emplace_back("the seed does not replay: its traces differ");
  return first;
}

}  // namespace

int run_seeds(const SeedsOptions& options) {
  std::uint64_t broken = 0;
  std::int64_t changes = 0;
  TroubleCounts trouble{};
  for (std::uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    const SimulationResult result = run_twice(seed, options.trace);
    changes += result.changes;
    std::ranges::transform(trouble, result.trouble, trouble.begin(), std::plus());
    for (const std::string& line : result.lines)
      fmt::print("{}\n", line);
    if (result.failures.empty()) continue;
    ++broken;
    for (const std::string& failure : result.failures)
      fmt::print("seed {}: {}\n", seed, failure);
    fmt::print("  look at it: starling-fleetsim seeds --first {} --count 1 --trace\n", seed);
  }
  fmt::print("{} seeds from {}, each run twice: {} changes, {} seeds broken\n", options.count, options.first,
             changes, broken);
  // Seeds that meet no trouble of some kind prove nothing about it.
  std::size_t missed = 0;
  for (std::size_t kind = 0; kind < troubles; ++kind) {
    fmt::print("{:>8} x {}\n", trouble[kind], to_string(static_cast<Trouble>(kind)));
    if (trouble[kind] == 0) ++missed;
  }
  if (missed > 0 && options.count >= enough_for_all_trouble) {
    fmt::print("{} kinds of trouble never happened\n", missed);
    return 1;
  }
  return broken == 0 ? 0 : 1;
}

}  // namespace starling::fleetsim
