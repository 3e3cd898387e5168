// Purpose: what the hub knows of each registered device besides what it should be: tokens, session epoch,
// last sign of life, reported state. Changes are collected and saved in batches. Owner: Hub. Thread: the
// hub's. Lifetime: outlives the sessions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/device_link/module_tally.hpp"
#include "hub/device_link/update_times.hpp"
#include "hub/settings/quarantine.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

// The part of a record that few look at, kept as text (DeviceRecord::facts).
struct DeviceFacts {
  JsonObject metadata;                            // of the documents: hardware, OS, ...
  JsonObject capabilities;                        // of the handshake
  JsonObject reported;                            // merged from heartbeats
  std::vector<protocol::KeyError> errors;         // of the last refusal of settings
  std::vector<protocol::KeyError> module_errors;  // and of modules
  std::vector<protocol::KeyError> software_errors;
  Quarantine quarantine;
  std::int64_t pending_edits = 0;
  std::vector<Crash> crashes;  // of its modules
  JsonObject counted_deaths;   // see count_deaths()
  std::vector<UpdateTimes> updates;

  // Nothing longer is ever stored. A message may have twice as much; what agents say of 200 modules fits.
  static constexpr std::size_t max_bytes = 128 * 1024;

  // Errors: corrupted. Who merges must not take that for nothing: it would be the end of what was there.
  static Result<DeviceFacts> parse(std::string_view text);
  // Errors: too_large (max_bytes): the record keeps what it has.
  Result<std::string> text() const;
  // Of a record's facts, which are searched first: hardly any device has one.
  static SharedQuarantine quarantine_in(std::string_view text);
  // As they fit beside everything else, the first ones first.
  void set_errors(protocol::Section section, std::vector<protocol::KeyError> all);
  std::vector<protocol::KeyError>& errors_of(protocol::Section section) {
    return section == protocol::Section::modules    ? module_errors
           : section == protocol::Section::software ? software_errors
                                                    : errors;
  }
};

class DeviceRecords {
  struct Entry;

 public:
  // Where a record was found last, for those who ask for the same one again and again. Good for ever: it
  // notices when records have gone.
  class Bookmark {
    friend class DeviceRecords;
    Entry* entry_ = nullptr;
    std::uint64_t erasures_ = 0;
  };

  DeviceRecords(Store& store, const Clock& clock, Logger log);

  void load(const StoredHub& stored);

  const DeviceRecord* find(const std::string& device_id) const;
  // The record to change; made if absent. It is saved with the next flush().
  DeviceRecord& edit(const std::string& fleet, const std::string& device_id);
  DeviceRecord& edit(const std::string& fleet, const std::string& device_id, Bookmark& bookmark);
  const DeviceRecord* find(const std::string& device_id, Bookmark& bookmark);
  // A sign of life, now. It is saved with what else changes, at the latest after ten minutes: so far back may
  // be what a hub that was killed has kept. A link that ends writes nothing: thousands may end at once.
  void seen(const std::string& fleet, const std::string& device_id, Bookmark& bookmark);
  // Takes over a record that was saved with a change.
  void put(DeviceRecord record);
  void erase(const std::string& device_id);

  // nullptr if no device owns this bearer token. The first use of a new token ends the previous one.
  const DeviceRecord* find_by_token(std::string_view token);
  // Gives the device a new token (returned in clear, kept hashed); the previous one stays good until its
  // first use.
  std::string issue_token(DeviceRecord& record);

  // Changes the facts of a record. What cannot be read or becomes too long stays as it was; the log says why.
  using ChangeFacts = std::function<void(DeviceFacts&)>;
  Result<void> change_facts(DeviceRecord& record, const ChangeFacts& change);

  // Saves what changed since the last call; called every second. Devices that have only been seen again are
  // left out for a while: most heartbeats say nothing new.
  void flush();
  void flush_all();  // at stop: when they were seen last, too

  // What the devices of a fleet said of their modules last, also those that are offline. After a start that
  // is not whole before all_counted().
  const ModuleTally& modules(const std::string& fleet) { return modules_[fleet]; }
  bool all_counted() const { return uncounted_.empty(); }
  void count_modules();  // some of those that are left; called every second
  // By its own words, which are only looked at again when it has said something new.
  bool has_problems(const std::string& device_id);
  std::size_t size() const { return records_.size(); }

 private:
  // Ten thousand devices answer a change at once: marking one costs no allocation.
  struct Entry {
    DeviceRecord record;
    bool dirty = false;    // is in dirty_
    bool counted = false;  // is in its fleet's tally
    std::optional<bool> has_problems;
    std::uint64_t saved = 0;   // fingerprint of what was saved; 0: none
    std::int64_t seen_ms = 0;  // last_seen_ms as it was saved
  };
  Entry& entry_of(const std::string& fleet, const std::string& device_id);
  Entry& entry_of(const std::string& fleet, const std::string& device_id, Bookmark& bookmark);
  void mark(Entry& entry);
  static bool must_be_saved(Entry& entry);
  void count_modules(Entry& entry);
  void recount_modules(const DeviceRecord& record, const ModulesReport& before, const ModulesReport& now);
  void index_tokens(const DeviceRecord& record);
  void drop_tokens(const DeviceRecord& record);

  Store& store_;
  const Clock& clock_;
  Logger log_;
  std::unordered_map<std::string, Entry> records_;
  std::unordered_map<Digest, std::string> by_token_;
  std::vector<Entry*> dirty_;
  std::map<std::string, ModuleTally> modules_;  // by fleet
  std::vector<std::string> uncounted_;          // devices whose stored reports are still to be counted
  std::uint64_t erasures_ = 0;
};

}  // namespace starling::hub
