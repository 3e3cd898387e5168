// Purpose: `starling-fleetsim seeds`: runs many seeds of the deterministic simulation, each twice, and says
// which ones break what must hold. Owner: main(). Thread: one. Lifetime: the call.
#pragma once

#include <cstdint>

namespace starling::fleetsim {

struct SeedsOptions {
  std::uint64_t first = 1;
  std::uint64_t count = 1'000;
  bool trace = false;  // print what happened in each seed
};

// Gives the process's exit code: 0 if everything held in every seed.
int run_seeds(const SeedsOptions& options);

}  // namespace starling::fleetsim
