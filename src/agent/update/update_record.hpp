// Purpose: how far a device's update is, kept across power loss: what is wanted, the release that is in work,
// which step of it comes next, and which releases are not tried again. Which release runs is not said here:
// the generation says it. Owner: UpdateCore. Thread: one. Lifetime: values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/disk.hpp"
#include "agent/update/release.hpp"
#include "base/json.hpp"
#include "protocol/package_request.hpp"
#include "protocol/release_encodings.hpp"

namespace starling::agent {

// The last step that was begun; each is written before it is taken.
enum class RecordedStep {
  none,         // nothing was wanted, or it runs
  pending,      // its description is looked for
  downloading,  // it is known
  installing,   // it is downloaded
  waiting,      // it is unpacked
  switching,    // its hour has come: from here on the generation may name it
  provisional,  // the generation names it
  confirmed,
  refused,
  going_back,  // the generation may name the former one
  reverted,
};
std::string_view to_string(RecordedStep step);

struct UpdateFailure {
  std::string fingerprint;  // equal for equal causes on all devices: "module-not-ready:recorder"
  std::string message;
  std::int64_t at_ms = 0;
  bool operator==(const UpdateFailure&) const = default;
};

// The last that did not stay. It is kept for people until another has.
struct FailedUpdate {
  std::string version;
  RecordedStep became = RecordedStep::refused;  // or reverted
  UpdateFailure failure;
  bool operator==(const FailedUpdate&) const = default;
};

// One that is not tried again as long as its version is wanted, until an operator says so.
struct BadRelease {
  Digest hash;
  RecordedStep became = RecordedStep::refused;  // or reverted
  UpdateFailure failure;
  bool operator==(const BadRelease&) const = default;
};

// Of the agent's starts, as the keeper counts them.
struct StartCounts {
  std::uint32_t crashes = 0;
  std::uint32_t unrecorded = 0;  // the power was cut
  bool operator==(const StartCounts&) const = default;
};

// Debian's, of the release that is in work or was last.
struct RecordedPackages {
  Digest release;
  bool changed = false;      // they are not, or not certainly, as they were before
  std::int64_t attempt = 0;  // of the request to install them that has no answer yet; 0: there is none
  protocol::PackageOutcome outcome = protocol::PackageOutcome::fetched;  // as it was told last
  std::string message;
  std::vector<std::string> without_way_back;
  bool operator==(const RecordedPackages&) const = default;
};

struct UpdateRecord {
  static constexpr std::string_view path = "update.json";
  static constexpr std::size_t kept_bad = 8;
  static constexpr std::size_t kept_unpacked = 4;
  static constexpr std::size_t kept_proven = 2;

  JsonObject section;  // as the hub wants it
  std::int64_t revision = 0;
  RecordedStep step = RecordedStep::none;
  std::optional<ReleaseTarget> target;                      // from `downloading` on
  protocol::Encoding encoding = protocol::Encoding::delta;  // of it: those before turned out damaged
  std::optional<UpdateFailure> failure;
  std::optional<FailedUpdate> last_failed;
  std::int64_t hubless_trials = 0;        // of this target, in a row, that ended for want of the hub
  std::int64_t hubless_until_ms = 0;      // before which it is not tried again
  std::int64_t mended_at_ms = 0;          // what runs, the last time
  StartCounts before;                     // the switch
  std::int64_t trial_starts = 0;          // of the agent since then, counted by the guard
  std::vector<std::string> ready_before;  // modules
  std::vector<BadRelease> bad;            // newest first
  std::vector<Digest> unpacked;           // newest first
  std::optional<RecordedPackages> packages;
  std::vector<Digest> proven;  // newest first: confirmed before, so that it may go back to them
  bool operator==(const UpdateRecord&) const = default;
};

std::string update_record_text(const UpdateRecord& record);
// Errors: corrupted.
Result<UpdateRecord> parse_update_record(std::string_view text);

// An empty one if there is none, or if it cannot be used: that is moved aside, with a message. Errors: those
// of Disk.
struct OpenedRecord {
  UpdateRecord record;
  std::string damage;  // empty: none
};
Result<OpenedRecord> open_update_record(Disk& disk);
// An empty one if there is none; nothing is moved. Errors: those of Disk, and those of damage.
Result<UpdateRecord> peek_update_record(Disk& disk);
Result<void> save_update_record(Disk& disk, const UpdateRecord& record);

// How often an agent on trial may start until it has failed.
struct StartLimits {
  std::uint32_t crashes = 3;
  std::uint32_t power_cuts = 5;
  std::int64_t starts = 20;  // for whatever reason
};
std::optional<UpdateFailure> failure_of_starts(const UpdateRecord& record, const StartCounts& now,
                                               std::int64_t now_ms);

}  // namespace starling::agent
