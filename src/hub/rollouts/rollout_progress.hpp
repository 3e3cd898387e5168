// Purpose: how far a rollout's devices are, stage by stage, and why some failed.
// Owner: Rollout. Thread: the hub's. Lifetime: the rollout's; it is told again what it knew after a restart.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "hub/rollouts/gate.hpp"

namespace starling::hub {

// What became of the new values on a device. Of one that is away and has said nothing: neither.
struct Outcome {
  enum class Kind { none, done, failed };
  Kind kind = Kind::none;
  WallTime at{};
  std::string reason;  // of a failure

  bool operator==(const Outcome&) const = default;
};

struct StageCounts {
  std::size_t devices = 0;
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t pending = 0;  // connected, and has not said
  std::size_t absent = 0;   // not connected, and has not said

  std::size_t heard_of() const { return done + failed + pending; }
  StageCounts& operator+=(const StageCounts& other);
  JsonObject to_json() const;
  bool operator==(const StageCounts&) const = default;
};

// Failures that differ only in numbers, addresses and the like.
struct FailureGroup {
  std::size_t devices = 0;  // so many
  std::string example;      // of the first of them
  std::string device;
};
// Numbers, hexadecimal and quoted parts count as equal.
std::string fingerprint(std::string_view reason);

class RolloutProgress {
 public:
  explicit RolloutProgress(std::size_t stages) : stages_(stages) {}

  // A device that the rollout reaches, when it comes, changes its labels or its connection.
  void put(const std::string& device, std::size_t stage, bool connected);
  void remove(const std::string& device);
  // Of a device that is not known nothing is kept.
  void heard(const std::string& device, Outcome outcome);

  bool empty() const { return devices_.empty(); }
  const Outcome* outcome(const std::string& device) const;  // nullptr: it is not known
  const std::vector<StageCounts>& stages() const { return stages_; }
  // Of the first `open` stages together.
  StageCounts counts(std::size_t open) const;
  WallTime last_outcome(std::size_t open) const;         // the epoch if there is none
  std::map<std::string, FailureGroup> failures() const;  // by fingerprint
  std::vector<FailureGroup> largest_failures(std::size_t most) const;

 private:
  struct Seen {
    std::size_t stage = 0;
    bool connected = false;
    Outcome outcome;
  };
  void count(const Seen& seen, bool more);

  std::vector<StageCounts> stages_;
  std::unordered_map<std::string, Seen> devices_;
};

}  // namespace starling::hub
