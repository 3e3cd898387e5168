// Purpose: token buckets: how often a principal may ask, and how often an address may be wrong about who it
// is. Owner: Api. Thread: the hub's. Lifetime: that of its owner; full buckets are forgotten by tick().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/token_bucket.hpp"

namespace starling::hub {

class RateLimit {
 public:
  using Options = Rate;
  RateLimit(const Clock& clock, Options options) : clock_(clock), options_(options) {}

  // nullopt: go on, one token is taken. Else how long to wait for the next one.
  std::optional<Seconds> take(std::string_view who);

  void tick();
  std::size_t size() const { return buckets_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  const Clock& clock_;
  Options options_;
  std::unordered_map<std::string, TokenBucket, Hash, std::equal_to<>> buckets_;
};

}  // namespace starling::hub
