// Purpose: what the hub keeps on disk. Desired state and its log change only by commit(); reported state and
// telemetry are saved in batches, outside the log.
// Owner: main(). Thread: calls come from the hub's thread, completions are posted back to it (Executor).
// Lifetime: the destructor finishes what was accepted.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "hub/state/change.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

// How far a device has come with one section of its document, as it said last.
struct SectionRecord {
  Digest target{};   // offered last
  Digest running{};  // in force
  Digest refused{};  // refused last
  protocol::Phase phase = protocol::Phase::applied;
  std::int64_t running_revision = 0;
  bool operator==(const SectionRecord&) const = default;
};

// What the hub knows of a device that is not desired state. Small and flat: there is one for each registered
// device in memory.
struct DeviceRecord {
  std::string fleet;
  std::string device_id;
  Digest token_hash;           // of the bearer token in force
  Digest previous_token_hash;  // still good until the new one is first used
  std::int64_t token_issued_ms = 0;
  protocol::SessionEpoch epoch;  // highest seen: lower ones are fenced off
  std::int64_t last_seen_ms = 0;
  SectionRecord settings;
  SectionRecord modules{.running = protocol::empty_section_hash()};
  SectionRecord software;   // nothing runs: the device has never said that it takes releases
  std::string version;      // current_version of the documents
  std::string rest_status;  // what PATCH status said last: online, offline, updating; "" if never
  // Declared at the last handshake: names, sorted, with commas between. Never declared is not declared none.
  std::optional<std::string> components;
  std::string module_names;  // of those that lie on the device; likewise
  std::string facts;         // JSON text, see DeviceFacts

  bool takes_releases() const { return static_cast<bool>(software.running); }
  const SectionRecord& section(protocol::Section name) const {
    return name == protocol::Section::modules    ? modules
           : name == protocol::Section::software ? software
                                                 : settings;
  }
  SectionRecord& section(protocol::Section name) {
    return name == protocol::Section::modules    ? modules
           : name == protocol::Section::software ? software
                                                 : settings;
  }
};

// Answers and results of actions are kept for this long; then they are not found any more.
inline constexpr std::chrono::milliseconds answer_lifetime = std::chrono::hours(7 * 24);

// The stored answer to a request with an idempotency id.
struct Answer {
  std::string fleet;
  std::string principal;
  std::string idempotency_id;
  Digest request_hash;  // the same id with another request is a mistake
  std::int64_t at_ms = 0;
  int status = 200;
  std::string body;
};

struct StoredActionResult {
  std::string fleet;
  std::string action_id;
  std::string device_id;
  std::int64_t at_ms = 0;
  bool ok = false;
  std::string result;  // JSON text {"result":…, "message":…}
};

// All or nothing.
struct Batch {
  std::vector<SharedChange> changes;  // in order; each fleet's revisions follow its head without a gap
  std::vector<Answer> answers;
  std::vector<DeviceRecord> records;
};

struct StoredEntity {
  EntityKind kind = EntityKind::setting;
  std::string id;
  Json body;
  std::int64_t revision = 0;
};

struct StoredFleet {
  std::string name;
  std::int64_t head = 0;
  std::vector<StoredEntity> entities;
  std::vector<DeviceRecord> records;
};

struct StoredHub {
  std::string generation;  // UUID; a new one means that cursors from before mean nothing
  std::vector<StoredFleet> fleets;
};

struct ChangeQuery {
  std::string fleet = {};
  std::int64_t since = 0;          // exclusive
  std::int64_t until = INT64_MAX;  // inclusive
  std::size_t limit = 100;
  bool newest_first = false;
  // If set, only changes with an edit of such an entity: a kind and, if not empty, an id or the beginning of
  // one.
  std::optional<EntityKind> kind = {};
  std::string id_prefix = {};
};

class Store {
 public:
  virtual ~Store() = default;

  template <typename T>
  using Completion = std::function<void(Result<T>)>;

  // Blocking; once, at start.
  virtual Result<StoredHub> load() = 0;

  // Errors: unavailable (disk full, locked), conflict (a revision is not head + 1), already_exists (an answer
  // with that id is stored), corrupted, io. After an error nothing of the batch is stored. Completes after
  // the bytes are on disk, in the order of the calls. Removing a device removes its record.
  virtual void commit(Batch batch, Completion<void> done) = 0;

  // A record whose device is not registered (any more) is left out, here and in commit().
  virtual void save_records(std::vector<DeviceRecord> records, Completion<void> done) = 0;
  // The first result of a device for an action stays.
  virtual void save_action_results(std::vector<StoredActionResult> results, Completion<void> done) = 0;

  virtual void read_changes(ChangeQuery query, Completion<std::vector<SharedChange>> done) = 0;
  virtual void find_answer(std::string fleet, std::string principal, std::string idempotency_id,
                           Completion<std::optional<Answer>> done) = 0;
  virtual void read_action_results(std::string fleet, std::string action_id,
                                   Completion<std::vector<StoredActionResult>> done) = 0;
};

}  // namespace starling::hub
