// Purpose: folders that have come and may still be copied: each has arrived once nothing in it has changed
// for a while. Owner: Supervisor. Thread: one. Lifetime: its owner's.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/crypto.hpp"

namespace starling::agent {

class ArrivingFolders {
 public:
  static constexpr Milliseconds quiet{1'000};
  static constexpr Milliseconds patience{60'000};  // with one in which something changes all the time

  // `all`: where they lie.
  ArrivingFolders(std::filesystem::path all, const Clock& clock) : all_(std::move(all)), clock_(clock) {}

  void came(std::string_view name);  // or something has been changed in it
  void went(std::string_view name);
  bool contains(std::string_view name) const { return arriving_.contains(name); }
  std::size_t count() const { return arriving_.size(); }
  // Those that have, sorted: they are no longer awaited.
  std::vector<std::string> take_arrived();
  std::optional<SteadyTime> next_deadline() const;

 private:
  struct Arriving {
    SteadyTime since{}, look_at{};
    Digest seen;
  };
  Digest look(const std::string& name) const;

  std::filesystem::path all_;
  const Clock& clock_;
  std::map<std::string, Arriving, std::less<>> arriving_;
};

}  // namespace starling::agent
