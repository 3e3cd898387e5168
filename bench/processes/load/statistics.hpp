// Purpose: percentiles of what was measured. Owner: values. Thread: one. Lifetime: none.
#pragma once

#include <algorithm>
#include <vector>

#include "base/json.hpp"

namespace starling::bench {

// Nearest rank; 0 without samples.
inline double percentile(std::vector<double> samples, double share) {
  if (samples.empty()) return 0;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1) + 0.5);
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(rank), samples.end());
  return samples[rank];
}

inline JsonObject latency_summary(const std::vector<double>& milliseconds) {
  return {{"count", milliseconds.size()},
          {"p50_ms", percentile(milliseconds, 0.5)},
          {"p99_ms", percentile(milliseconds, 0.99)},
          {"max_ms", percentile(milliseconds, 1.0)}};
}

}  // namespace starling::bench
