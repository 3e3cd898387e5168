#include "fleetsim/deterministic/seeds_mode.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "fleetsim/deterministic/simulation.hpp"

namespace starling::fleetsim {

namespace {

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
  for (std::uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    const SimulationResult result = run_twice(seed, options.trace);
    changes += result.changes;
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
  return broken == 0 ? 0 : 1;
}

}  // namespace starling::fleetsim
