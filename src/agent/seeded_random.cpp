#include "agent/seeded_random.hpp"

#include <fmt/format.h>

namespace starling::agent {

std::string SeededRandom::uuid() {
  const std::uint64_t high = ((*this)() & ~0xf000ull) | 0x4000ull;
  const std::uint64_t low = ((*this)() & 0x3fff'ffff'ffff'ffffull) | 0x8000'0000'0000'0000ull;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xffff,
                     low >> 48, low & 0xffff'ffff'ffffull);
}

}  // namespace starling::agent
