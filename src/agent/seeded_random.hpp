// Purpose: the cores' only randomness. A seed gives the same device behaviour in every run.
// Owner: the core that draws. Thread: one. Lifetime: a value.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

namespace starling::agent {

// SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, good enough for jitter and identifiers. Nothing
// secret may come from it.
class SeededRandom {
 public:
  using result_type = std::uint64_t;
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return std::numeric_limits<result_type>::max(); }
  result_type operator()() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform enough in [0, bound); 0 for an empty range.
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : (*this)() % bound; }
  std::string uuid();  // version 4

 private:
  std::uint64_t state_;
};

}  // namespace starling::agent
