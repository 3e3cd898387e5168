// Purpose: edits made on the device that the hub has not settled yet, kept across power loss. Saving the
// journal is the commit point of an edit. Owner: SettingsCore. Thread: one. Lifetime: the core's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/disk.hpp"
#include "agent/settings/drift.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/messages.hpp"

namespace starling::agent {

struct JournalEntry {
  protocol::PendingEdit edit;
  // Set when the hub has accepted the edit: it stays in force until a document of at least this revision
  // runs.
  std::optional<std::int64_t> accepted_revision;
  bool sent = false;  // may be known to the hub: never changed any more
};
using JournalEntries = std::vector<JournalEntry>;

class EditJournal {
 public:
  static constexpr std::string_view settings_path = "edits.json";
  static constexpr std::string_view modules_path = "module_edits.json";
  static constexpr std::size_t max_entries = 256;
  // All pending edits go up in one message (protocol::max_device_message_bytes), with what else is in it.
  static constexpr std::size_t max_entries_bytes = std::size_t{96} * 1024;
  static bool fits(const JournalEntries& entries);

  EditJournal(Disk& disk, const Clock& clock, std::string_view path, Logger log)
      : disk_(disk), clock_(clock), path_(path), log_(log) {}

  // An unreadable journal is moved aside. Errors: those of Disk.
  Result<std::vector<Drift>> open();

  const JournalEntries& entries() const { return entries_; }
  // Durable when it returns; on failure the old entries stand.
  Result<void> save(JournalEntries entries, const Digest& override_hash);
  // In memory, since after a restart all count as sent.
  void mark_sent();
  void mark_sent(std::string_view id);

  // Of config_override.json as derived when the journal was saved, and before.
  const std::array<Digest, 2>& override_hashes() const { return override_hashes_; }

 private:
  Disk& disk_;
  const Clock& clock_;
  std::string_view path_;
  Logger log_;
  JournalEntries entries_;
  std::array<Digest, 2> override_hashes_;
};

}  // namespace starling::agent
