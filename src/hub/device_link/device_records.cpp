#include "hub/device_link/device_records.hpp"

#include <functional>
#include <utility>

#include "base/utf8.hpp"
#include "hub/device_link/device_problems.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_readable_bytes = 4u << 20;  // earlier hubs had no bound
constexpr std::size_t max_errors_bytes = 16 * 1024;
constexpr std::size_t max_error_bytes = 1024;
constexpr std::size_t max_history_bytes = 64 * 1024;
constexpr std::size_t reports_in_a_turn = 100;
constexpr Milliseconds seen_lately = std::chrono::minutes(10);

JsonObject stored_object(const JsonObject& facts, std::string_view name) {
  const Json* value = facts.if_contains(name);
  return value != nullptr && value->is_object() ? value->get_object() : JsonObject{};
}

std::vector<protocol::KeyError> errors_in(const JsonObject& facts, std::string_view name) {
  std::vector<protocol::KeyError> errors;
  const Json* list = facts.if_contains(name);
  if (list == nullptr || !list->is_array()) return errors;
  for (const Json& error : list->get_array()) {
    if (!error.is_object()) continue;
    const JsonReader reader(error.get_object());
    errors.push_back({reader.string("key").value_or(""), reader.string("message").value_or("")});
  }
  return errors;
}

// Spares most records of a fleet without modules the reading.
bool may_tell_of_modules(const DeviceRecord& record) {
  return record.facts.find("\"modules\"") != std::string::npos ||
         record.facts.find("\"crashes\"") != std::string::npos ||
         record.facts.find("\"alerts\"") != std::string::npos ||
         record.facts.find("\"board\"") != std::string::npos;
}

template <typename T>
void add_to(std::uint64_t& hash, const T& value) {
  hash = hash * 1'099'511'628'211u + std::hash<T>()(value);
}

void add_to(std::uint64_t& hash, const SectionRecord& section) {
  const auto& [target, running, refused, phase, running_revision] = section;
  for (const Digest& digest : {target, running, refused})
    add_to(hash, digest);
  add_to(hash, phase);
  add_to(hash, running_revision);
}

// Of what is saved, but for the time. It takes all members apart, so that a new one is not forgotten.
std::uint64_t fingerprint(const DeviceRecord& record) {
  const auto& [fleet, device_id, token_hash, previous_token_hash, token_issued_ms, epoch, last_seen_ms,
               settings, modules, software, version, rest_status, components, module_names, facts] = record;
  std::uint64_t hash = 1;
  add_to(hash, token_hash);
  add_to(hash, previous_token_hash);
  add_to(hash, token_issued_ms);
  add_to(hash, epoch.start);
  add_to(hash, epoch.connection);
  add_to(hash, settings);
  add_to(hash, modules);
  add_to(hash, software);
  for (const std::string* text : {&version, &rest_status, &module_names, &facts})
    add_to(hash, *text);
  add_to(hash, components);
  return hash;
}

JsonArray to_json(const std::vector<protocol::KeyError>& errors) {
  JsonArray several;  // also of one key
  for (const protocol::KeyError& error : errors)
    several.push_back(JsonObject{{"key", error.key}, {"message", error.message}});
  return several;
}

}  // namespace

Result<DeviceFacts> DeviceFacts::parse(std::string_view text) {
  DeviceFacts facts;
  if (text.empty()) return facts;
  const auto json = parse_json(text, {.max_bytes = max_readable_bytes, .max_depth = 40});
  if (!json)
    return fail(ErrorCode::corrupted, "what a device reported cannot be read: " + json.error().message);
  if (!json->is_object()) return fail(ErrorCode::corrupted, "what a device reported is no object");
  const JsonObject& object = json->get_object();
  facts.metadata = stored_object(object, "metadata");
  facts.capabilities = stored_object(object, "capabilities");
  facts.reported = stored_object(object, "reported");
  facts.errors = errors_in(object, "errors");
  facts.module_errors = errors_in(object, "module_errors");
  facts.software_errors = errors_in(object, "software_errors");
  facts.quarantine = quarantine_from_json(object.if_contains("quarantine"));
  facts.crashes = crashes_from_json(object.if_contains("crashes"));
  facts.counted_deaths = stored_object(object, "counted_deaths");
  facts.updates = update_times_from_json(object.if_contains("updates"));
  facts.pending_edits = JsonReader(object).optional_integer("pending").value_or(std::nullopt).value_or(0);
  return facts;
}

SharedQuarantine DeviceFacts::quarantine_in(std::string_view text) {
  if (text.find("quarantine\":[{") == std::string_view::npos) return nullptr;
  auto facts = parse(text);
  if (!facts || facts->quarantine.empty()) return nullptr;
  return std::make_shared<const Quarantine>(std::move(facts->quarantine));
}

void DeviceFacts::set_errors(protocol::Section section, std::vector<protocol::KeyError> all) {
  std::vector<protocol::KeyError>& kept = errors_of(section);
  kept.clear();
  std::size_t bytes = 0;
  for (protocol::KeyError& error : all) {
    error.message.resize(cut_utf8(error.message, max_error_bytes).size());
    bytes += error.key.size() + error.message.size();
    if (bytes > max_errors_bytes) {
      // Of no key, so that nobody takes a key that is not here for one that was accepted.
      kept.push_back({"", "and " + std::to_string(all.size() - kept.size()) + " more"});
      return;
    }
    kept.push_back(std::move(error));
  }
}

Result<std::string> DeviceFacts::text() const {
  JsonObject object;
  if (!metadata.empty()) object["metadata"] = metadata;
  if (!capabilities.empty()) object["capabilities"] = capabilities;
  if (!reported.empty()) object["reported"] = reported;
  if (!errors.empty()) object["errors"] = to_json(errors);
  if (!module_errors.empty()) object["module_errors"] = to_json(module_errors);
  if (!software_errors.empty()) object["software_errors"] = to_json(software_errors);
  if (!quarantine.empty()) object["quarantine"] = hub::to_json(quarantine);
  if (pending_edits != 0) object["pending"] = pending_edits;
  if (!crashes.empty()) object["crashes"] = to_json(crashes);
  if (!counted_deaths.empty()) object["counted_deaths"] = counted_deaths;
  if (!updates.empty()) object["updates"] = to_json(updates);
  if (object.empty()) return std::string{};
  std::string text = boost::json::serialize(object);
  // The reasons of a refusal and what modules died of always have room: they are bounded by themselves,
  // escaped at worst to the double.
  const std::size_t refusals =
      (errors.empty() ? 0u : 1u) + (module_errors.empty() ? 0u : 1u) + (software_errors.empty() ? 0u : 1u);
  const std::size_t history = crashes.empty() && counted_deaths.empty() ? 0 : max_history_bytes;
  const std::size_t room = max_bytes + refusals * 2 * max_errors_bytes + history + bytes_of(quarantine);
  if (text.size() <= room) return text;
  return fail(ErrorCode::too_large, "what a device reports would grow to " + std::to_string(text.size()) +
                                        " bytes, more than the " + std::to_string(max_bytes) +
                                        " that are kept for one");
}

DeviceRecords::DeviceRecords(Store& store, const Clock& clock, Logger log)
    : store_(store), clock_(clock), log_(log) {}

void DeviceRecords::load(const StoredHub& stored) {
  for (const StoredFleet& fleet : stored.fleets) {
    for (const DeviceRecord& record : fleet.records) {
      index_tokens(record);
      Entry& entry = records_[record.device_id];
      entry.record = record;
      entry.seen_ms = record.last_seen_ms;
      if (may_tell_of_modules(record)) uncounted_.push_back(record.device_id);
    }
  }
}

const DeviceRecord* DeviceRecords::find(const std::string& device_id) const {
  const auto found = records_.find(device_id);
  return found == records_.end() ? nullptr : &found->second.record;
}

DeviceRecords::Entry& DeviceRecords::entry_of(const std::string& fleet, const std::string& device_id) {
  Entry& entry = records_[device_id];
  if (entry.record.device_id.empty()) {
    entry.record.fleet = fleet;
    entry.record.device_id = device_id;
  }
  return entry;
}

DeviceRecord& DeviceRecords::edit(const std::string& fleet, const std::string& device_id) {
  Entry& entry = entry_of(fleet, device_id);
  mark(entry);
  return entry.record;
}

DeviceRecords::Entry& DeviceRecords::entry_of(const std::string& fleet, const std::string& device_id,
                                              Bookmark& bookmark) {
  if (bookmark.entry_ == nullptr || bookmark.erasures_ != erasures_) {
    bookmark.entry_ = &entry_of(fleet, device_id);
    bookmark.erasures_ = erasures_;
  }
  return *bookmark.entry_;
}

DeviceRecord& DeviceRecords::edit(const std::string& fleet, const std::string& device_id,
                                  Bookmark& bookmark) {
  Entry& entry = entry_of(fleet, device_id, bookmark);
  mark(entry);
  return entry.record;
}

const DeviceRecord* DeviceRecords::find(const std::string& device_id, Bookmark& bookmark) {
  if (bookmark.entry_ == nullptr || bookmark.erasures_ != erasures_) {
    const auto found = records_.find(device_id);
    if (found == records_.end()) return nullptr;
    bookmark.entry_ = &found->second;
    bookmark.erasures_ = erasures_;
  }
  return &bookmark.entry_->record;
}

void DeviceRecords::seen(const std::string& fleet, const std::string& device_id, Bookmark& bookmark) {
  Entry& entry = entry_of(fleet, device_id, bookmark);
  entry.record.last_seen_ms = clock_.wall().time_since_epoch().count();
  if (Milliseconds(entry.record.last_seen_ms - entry.seen_ms) >= seen_lately) mark(entry);
}

void DeviceRecords::mark(Entry& entry) {
  if (!std::exchange(entry.dirty, true)) dirty_.push_back(&entry);
}

void DeviceRecords::put(DeviceRecord record) {
  erase(record.device_id);
  index_tokens(record);
  Entry& entry = records_[record.device_id];
  entry.record = std::move(record);
  entry.seen_ms = entry.record.last_seen_ms;
  count_modules(entry);
}

void DeviceRecords::erase(const std::string& device_id) {
  const auto found = records_.find(device_id);
  if (found == records_.end()) return;
  drop_tokens(found->second.record);
  if (found->second.dirty) std::erase(dirty_, &found->second);
  if (found->second.counted) {
    const auto facts = DeviceFacts::parse(found->second.record.facts);
    if (facts) modules_[found->second.record.fleet].remove(ModulesReport::of(*facts));
  }
  records_.erase(found);
  ++erasures_;
}

const DeviceRecord* DeviceRecords::find_by_token(std::string_view token) {
  const Digest hash = sha256(token);
  const auto found = by_token_.find(hash);
  if (found == by_token_.end()) return nullptr;
  Entry& entry = records_.at(found->second);
  DeviceRecord& record = entry.record;
  if (hash == record.token_hash && record.previous_token_hash) {
    by_token_.erase(record.previous_token_hash);
    record.previous_token_hash = {};
    mark(entry);
  }
  return &record;
}

std::string DeviceRecords::issue_token(DeviceRecord& record) {
  std::string token = "dt_" + random_token();
  drop_tokens(record);
  // A newest token that was never used may never have arrived: the one before it stays good.
  if (!record.previous_token_hash) record.previous_token_hash = record.token_hash;
  record.token_hash = sha256(token);
  record.token_issued_ms = clock_.wall().time_since_epoch().count();
  index_tokens(record);
  if (const auto found = records_.find(record.device_id); found != records_.end()) mark(found->second);
  return token;
}

void DeviceRecords::index_tokens(const DeviceRecord& record) {
  if (record.token_hash) by_token_[record.token_hash] = record.device_id;
  if (record.previous_token_hash) by_token_[record.previous_token_hash] = record.device_id;
}

void DeviceRecords::drop_tokens(const DeviceRecord& record) {
  by_token_.erase(record.token_hash);
  by_token_.erase(record.previous_token_hash);
}

Result<void> DeviceRecords::change_facts(DeviceRecord& record, const ChangeFacts& change) {
  auto facts = DeviceFacts::parse(record.facts);
  const ModulesReport before = facts ? ModulesReport::of(*facts) : ModulesReport{};
  if (facts) change(*facts);
  auto text = facts ? facts->text() : Result<std::string>(fail(facts));
  if (!text) {
    log_.warning("what a device reported is not kept",
                 {{"device", record.device_id}, {"error", text.error().message}});
    return fail(text);
  }
  record.facts = std::move(*text);
  recount_modules(record, before, ModulesReport::of(*facts));
  return {};
}

void DeviceRecords::recount_modules(const DeviceRecord& record, const ModulesReport& before,
                                    const ModulesReport& now) {
  const auto found = records_.find(record.device_id);
  if (found == records_.end()) return;  // it is being registered
  found->second.has_problems.reset();
  ModuleTally& tally = modules_[record.fleet];
  if (found->second.counted) {
    tally.replace(before, now);
  } else {
    tally.add(now);
  }
  found->second.counted = true;
  tally.count_new_deaths(before, now);
}

void DeviceRecords::count_modules(Entry& entry) {
  if (entry.counted) return;
  entry.counted = true;
  const auto facts = DeviceFacts::parse(entry.record.facts);
  if (facts) modules_[entry.record.fleet].add(ModulesReport::of(*facts));
}

void DeviceRecords::count_modules() {
  for (std::size_t counted = 0; counted < reports_in_a_turn && !uncounted_.empty(); ++counted) {
    const auto found = records_.find(uncounted_.back());
    uncounted_.pop_back();
    if (found != records_.end()) count_modules(found->second);
  }
}

bool DeviceRecords::has_problems(const std::string& device_id) {
  const auto found = records_.find(device_id);
  if (found == records_.end()) return false;
  Entry& entry = found->second;
  if (!entry.has_problems) entry.has_problems = hub::has_problems(entry.record.facts);
  return *entry.has_problems;
}

bool DeviceRecords::must_be_saved(Entry& entry) {
  const std::uint64_t now = fingerprint(entry.record);
  const bool same = entry.saved == now;
  if (same && Milliseconds(entry.record.last_seen_ms - entry.seen_ms) < seen_lately) return false;
  entry.saved = now;
  entry.seen_ms = entry.record.last_seen_ms;
  return true;
}

void DeviceRecords::flush() {
  std::vector<DeviceRecord> changed;
  changed.reserve(dirty_.size());
  for (Entry* entry : std::exchange(dirty_, {})) {
    entry->dirty = false;
    if (must_be_saved(*entry)) changed.push_back(entry->record);
  }
  if (changed.empty()) return;
  std::vector<std::string> ids;
  ids.reserve(changed.size());
  for (const DeviceRecord& record : changed)
    ids.push_back(record.device_id);
  store_.save_records(std::move(changed), [this, ids = std::move(ids)](const Result<void>& saved) {
    if (saved) return;
    log_.error("reported state could not be stored; trying again", {{"error", saved.error().message}});
    for (const std::string& id : ids) {
      const auto found = records_.find(id);
      if (found == records_.end()) continue;
      found->second.saved = 0;
      mark(found->second);
    }
  });
}

void DeviceRecords::flush_all() {
  for (auto& [id, entry] : records_) {
    if (entry.record.last_seen_ms == entry.seen_ms) continue;
    entry.saved = 0;
    mark(entry);
  }
  flush();
}

}  // namespace starling::hub
