// Purpose: token buckets: how often a principal may ask, and how often an address may be wrong about who it
// is. Owner: Api. Thread: the hub's. Lifetime: that of its owner; full buckets are forgotten by tick().
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"

namespace starling::hub {

class RateLimit {
 public:
  struct Options {
    double per_second = 0;  // 0: no limit
    double burst = 0;
  };
  RateLimit(const Clock& clock, Options options) : clock_(clock), options_(options) {}

  // nullopt: go on, one token is taken. Else how long to wait for the next one.
  std::optional<Seconds> take(std::string_view who);

  void tick();
  std::size_t size() const { return buckets_.size(); }

 private:
  struct Bucket {
    double tokens = 0;
    SteadyTime at{};
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  double refilled(const Bucket& bucket, SteadyTime now) const;

  const Clock& clock_;
  Options options_;
  std::unordered_map<std::string, Bucket, Hash, std::equal_to<>> buckets_;
};

}  // namespace starling::hub
