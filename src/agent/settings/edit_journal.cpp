#include "agent/settings/edit_journal.hpp"

#include "agent/settings/sealed_json.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_edit_journal_bytes = 1u << 20;

JsonObject to_json(const JournalEntry& entry) {
  JsonObject json;
  json["id"] = entry.edit.id;
  json["key"] = entry.edit.key;
  json["from"] = entry.edit.from;
  json["to"] = entry.edit.to;
  json["at_ms"] = entry.edit.at_ms;
  if (entry.accepted_revision) json["accepted_revision"] = *entry.accepted_revision;
  return json;
}

Result<JournalEntry> entry_from(const Json& json) {
  if (!json.is_object()) return fail(ErrorCode::corrupted, "an edit is not an object");
  const JsonReader reader(json.get_object());
  JournalEntry entry;
  auto id = reader.string("id");
  if (!id) return fail(id);
  auto key = reader.string("key");
  if (!key) return fail(key);
  const auto at = reader.integer("at_ms");
  if (!at) return fail(at);
  const auto accepted = reader.optional_integer("accepted_revision");
  if (!accepted) return fail(accepted);
  if (const Json* from = json.get_object().if_contains("from")) entry.edit.from = *from;
  if (const Json* to = json.get_object().if_contains("to")) entry.edit.to = *to;
  entry.edit.id = std::move(*id);
  entry.edit.key = std::move(*key);
  entry.edit.at_ms = *at;
  entry.accepted_revision = *accepted;
  entry.sent = true;
  return entry;
}

struct Parsed {
  JournalEntries entries;
  std::array<Digest, 2> hashes;
};

Result<Parsed> parse(std::string_view text) {
  const auto object = unseal(text);
  if (!object) return fail(object);
  const JsonReader reader(*object);
  Parsed parsed;
  const auto edits = reader.array("edits");
  if (!edits) return fail(edits);
  if ((*edits)->size() > EditJournal::max_entries) return fail(ErrorCode::corrupted, "too many edits");
  for (const Json& json : **edits) {
    auto entry = entry_from(json);
    if (!entry) return fail(entry);
    parsed.entries.push_back(std::move(*entry));
  }
  const auto hashes = reader.array("override_hashes");
  if (!hashes) return fail(hashes);
  for (std::size_t i = 0; i < parsed.hashes.size() && i < (*hashes)->size(); ++i) {
    const Json& hex = (**hashes)[i];
    if (!hex.is_string()) return fail(ErrorCode::corrupted, "a hash is not a string");
    const auto digest = Digest::from_hex(std::string_view(hex.get_string()));
    if (!digest) return fail(digest);
    parsed.hashes[i] = *digest;
  }
  return parsed;
}

}  // namespace

bool EditJournal::fits(const JournalEntries& entries) {
  std::size_t bytes = 0;
  for (const JournalEntry& entry : entries)
    bytes += boost::json::serialize(to_json(entry)).size();
  return entries.size() <= max_entries && bytes <= max_entries_bytes;
}

Result<std::vector<Drift>> EditJournal::open() {
  std::vector<Drift> drift;
  const auto text = disk_.read_file(path_, max_edit_journal_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return drift;
  auto parsed = text ? parse(*text) : Result<Parsed>(fail(text));
  if (parsed) {
    entries_ = std::move(parsed->entries);
    override_hashes_ = parsed->hashes;
    return drift;
  }
  if (!is_damage(parsed.error())) return fail(parsed);
  const std::string aside = "corrupt-" + std::string(path_);
  if (auto moved = disk_.rename(path_, aside); !moved) return fail(moved);
  if (auto synced = disk_.sync_folder(""); !synced) return fail(synced);
  const std::string message =
      "the journal of edits made on this device cannot be used: " + parsed.error().message + "; kept as " +
      aside + ", its edits are no longer in force";
  log_.error(message);
  drift.push_back({"corruption", message, clock_.wall().time_since_epoch().count()});
  return drift;
}

Result<void> EditJournal::save(JournalEntries entries, const Digest& override_hash) {
  JsonArray edits;
  for (const JournalEntry& entry : entries)
    edits.push_back(to_json(entry));
  JsonArray hashes;
  hashes.push_back(JsonString(override_hash.hex()));
  hashes.push_back(JsonString(override_hashes_[0].hex()));
  JsonObject object;
  object["edits"] = std::move(edits);
  object["override_hashes"] = std::move(hashes);
  if (auto saved = replace_file(disk_, path_, seal(std::move(object)), 0600); !saved) return saved;
  override_hashes_ = {override_hash, override_hashes_[0]};
  entries_ = std::move(entries);
  return {};
}

void EditJournal::mark_sent() {
  for (JournalEntry& entry : entries_)
    entry.sent = true;
}

void EditJournal::mark_sent(std::string_view id) {
  for (JournalEntry& entry : entries_)
    if (entry.edit.id == id) entry.sent = true;
}

}  // namespace starling::agent
