// Purpose: folders of modules that somebody changes: each is looked into once that is over. One that has come
// may still be copied, as long as anything in it changes or something is missing. Owner: Supervisor. Thread:
// one. Lifetime: its owner's.
#pragma once

#include <filesystem>
#include <functional>
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
  static constexpr Milliseconds quiet{1'000};        // since the last change, or the last look
  static constexpr Milliseconds incomplete{10'000};  // the same, where something is missing
  static constexpr Milliseconds patience{600'000};   // with one that has come, and changes all the time
  static constexpr Milliseconds impatience{5'000};   // with one whose known files do

  // `all`: where they lie. `complete`: whether a folder holds what its module needs to start.
  using Complete = std::function<bool(const std::string&)>;
  ArrivingFolders(std::filesystem::path all, const Clock& clock, Complete complete)
      : all_(std::move(all)), clock_(clock), complete_(std::move(complete)) {}

  void came(std::string_view name);     // all of it is new
  void changed(std::string_view name);  // its module.toml or config.txt
  void went(std::string_view name);
  bool contains(std::string_view name) const { return arriving_.contains(name); }
  std::size_t count() const { return arriving_.size(); }
  // Those for which it is over, sorted: they are no longer awaited. Looks at one that has come, at most.
  std::vector<std::string> take_arrived();
  std::optional<SteadyTime> next_deadline() const;

 private:
  struct Arriving {
    SteadyTime since{}, changed{}, look_at{};
    bool whole = false;
    Digest seen{};
  };
  void note(std::string_view name, bool whole);
  bool has_arrived(const std::string& name, Arriving& one, SteadyTime now) const;
  Digest look(const std::string& name) const;

  std::filesystem::path all_;
  const Clock& clock_;
  Complete complete_;
  std::map<std::string, Arriving, std::less<>> arriving_;
};

}  // namespace starling::agent
