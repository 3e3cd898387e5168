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

// What became of the new values on a device.
struct Outcome {
  enum class Kind {
    none,      // it has not said, or cannot
    done,      // it has them, and is well
    failed,    // it refused them, or took them back
    masked,    // a layer above says otherwise there, or a rollout that came later
    lacking,   // it has none of the components or modules that they are for
    hindered,  // it refuses its settings, for something that did not come with the rollout
  };
  Kind kind = Kind::none;
  WallTime at{};
  std::string reason;  // of a failure or a hindrance
  // Of one that has not said yet: it tries them, or waits for its hour (the epoch: nobody knows).
  bool on_trial = false;
  WallTime switches_at{};

  bool operator==(const Outcome&) const = default;
};

struct StageCounts {
  std::size_t devices = 0;
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t pending = 0;  // connected, and has not said
  std::size_t absent = 0;   // not connected, and has not said
  std::size_t masked = 0;
  std::size_t lacking = 0;
  std::size_t hindered = 0;

  std::size_t heard_of() const { return done + failed + pending; }
  std::size_t concerned() const { return devices - masked - lacking; }
  StageCounts& operator+=(const StageCounts& other);
  JsonObject to_json() const;
  bool operator==(const StageCounts&) const = default;
};

// Of the devices that have not said yet.
struct UnderWay {
  std::size_t on_trial = 0;
  std::size_t waiting = 0;  // for an hour that is known
  WallTime first_switch{};  // of those
  WallTime last_switch{};
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
  explicit RolloutProgress(std::size_t stages) : stages_(stages), last_outcomes_(stages) {}

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
  // Also of a device that has gone; the epoch if there is none.
  WallTime last_outcome(std::size_t open) const;
  UnderWay under_way(std::size_t open) const;
  std::map<std::string, FailureGroup> failures() const;  // by fingerprint
  std::vector<FailureGroup> largest_failures(std::size_t most) const;

 private:
  struct Seen {
    std::size_t stage = 0;
    bool connected = false;
    Outcome outcome;
  };
  void count(const Seen& seen, bool more);
  void note_outcome(const Seen& seen);

  std::vector<StageCounts> stages_;
  std::vector<WallTime> last_outcomes_;
  std::unordered_map<std::string, Seen> devices_;
};

}  // namespace starling::hub
