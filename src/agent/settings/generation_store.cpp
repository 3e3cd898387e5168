#include "agent/settings/generation_store.hpp"

#include <algorithm>
#include <charconv>

#include "agent/settings/sealed_json.hpp"
#include "protocol/canonical_json.hpp"

namespace starling::agent {
namespace {

constexpr std::string_view folder = "generations";
constexpr std::string_view corrupt_prefix = "corrupt-";
constexpr std::size_t kept_corrupt = 3;
// More than the largest message that brings a section, and its frame: what was accepted can be read again.
constexpr std::size_t max_document_bytes = 3 * protocol::max_hub_message_bytes + 64 * 1024;

std::string path_of(std::int64_t number) {
  return std::string(folder) + "/" + std::to_string(number);
}
std::string document_of(std::int64_t number) {
  return path_of(number) + "/document.json";
}

std::optional<std::int64_t> parse_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

JsonObject section_json(Json document, const Digest& hash) {
  JsonObject section;
  section["hash"] = hash.hex();
  section["document"] = std::move(document);
  return section;
}

Result<Json> section_document(const JsonReader& sections, std::string_view name, Digest& hash) {
  const auto section = sections.object(name);
  if (!section) return fail(section);
  const JsonReader reader(**section);
  const auto text = reader.string("hash");
  if (!text) return fail(text);
  const auto document = reader.object("document");
  if (!document) return fail(document);
  const auto stored = Digest::from_hex(*text);
  if (!stored) return fail(stored);
  Json json(**document);
  if (protocol::hash_of(json) != *stored) {
    return fail(ErrorCode::corrupted, "section '" + std::string(name) + "' does not have its hash");
  }
  hash = *stored;
  return json;
}

// How the settings fare is no reason to lose them: what cannot be understood of it is left out.
void read_trial(const JsonReader& reader, Generation& generation) {
  if (const auto witnesses = reader.optional_array("witnesses"); witnesses && *witnesses != nullptr) {
    for (const Json& name : **witnesses)
      if (name.is_string()) generation.witnesses.emplace(name.get_string());
  }
  if (const auto tied = reader.optional_boolean("tied"); tied) generation.tied = tied->value_or(false);
  const auto taken_back = reader.optional_object("taken_back");
  if (!taken_back || *taken_back == nullptr) return;
  const JsonReader fields(**taken_back);
  const auto hex = fields.string("hash");
  auto why = fields.string("why");
  const auto hash = hex ? Digest::from_hex(*hex) : Result<Digest>(fail(hex));
  if (hash && why) generation.taken_back = TakenBack{*hash, std::move(*why)};
}

Result<std::optional<Release>> release_in(const JsonReader& software) {
  const auto found = software.optional_object("release");
  if (!found) return fail(found);
  if (*found == nullptr) return std::nullopt;
  const JsonReader reader(**found);
  auto version = reader.string("version");
  if (!version) return fail(version);
  const auto hex = reader.string("sha256");
  if (!hex) return fail(hex);
  const auto hash = Digest::from_hex(*hex);
  if (!hash) return fail(hash);
  if (!*hash) return fail(ErrorCode::corrupted, "a release without a hash");
  return Release{std::move(*version), *hash};
}

// The part of `from`; the rest stays what it is.
void take(Generation& into, const Generation& from, GenerationStore::Part part) {
  if (part == GenerationStore::Part::release) {
    into.software = from.software;
    into.release = from.release;
    into.tied = from.tied;
    return;
  }
  into.cursor = from.cursor;
  into.settings = from.settings;
  into.settings_hash = from.settings_hash;
  into.override_hash = from.override_hash;
  into.witnesses = from.witnesses;
  into.taken_back = from.taken_back;
}

// But for the settings.
bool same_rest(const Generation& one, const Generation& other) {
  return one.modules == other.modules && one.quarantine == other.quarantine &&
         one.software == other.software && one.release == other.release;
}

bool same_content(const Generation& one, const Generation& other) {
  return one.settings_hash == other.settings_hash && same_rest(one, other) &&
         one.witnesses == other.witnesses && one.taken_back == other.taken_back;
}

Result<Generation> generation_from(const JsonObject& object) {
  const JsonReader reader(object);
  Generation generation;
  const auto number = reader.integer("generation");
  if (!number) return fail(number);
  const auto cursor = reader.object("cursor");
  if (!cursor) return fail(cursor);
  const JsonReader cursor_reader(**cursor);
  auto hub_generation = cursor_reader.string("hub_generation");
  if (!hub_generation) return fail(hub_generation);
  const auto revision = cursor_reader.integer("revision");
  if (!revision) return fail(revision);
  const auto sections = reader.object("sections");
  if (!sections) return fail(sections);
  const JsonReader section_reader(**sections);
  const auto settings = section_document(section_reader, "settings", generation.settings_hash);
  if (!settings) return fail(settings);
  auto document = protocol::SettingsDocument::from_json(*settings);
  if (!document) return fail(document);
  Digest unused;
  auto modules = section_document(section_reader, "modules", unused);
  if (!modules) return fail(modules);
  const auto modules_section = section_reader.object("modules");
  if (!modules_section) return fail(modules_section);
  const auto quarantine = JsonReader(**modules_section).optional_object("quarantine");
  if (!quarantine) return fail(quarantine);
  if (*quarantine != nullptr) generation.quarantine = **quarantine;
  auto software = section_document(section_reader, "software", unused);
  if (!software) return fail(software);
  auto release = release_in(JsonReader(*section_reader.object("software").value()));
  if (!release) return fail(release);
  const auto override_hex = reader.string("override_hash");
  if (!override_hex) return fail(override_hex);
  const auto override_hash = Digest::from_hex(*override_hex);
  if (!override_hash) return fail(override_hash);
  generation.number = *number;
  generation.cursor = {std::move(*hub_generation), *revision};
  generation.settings = std::move(*document);
  generation.modules = std::move(modules->get_object());
  generation.software = std::move(software->get_object());
  generation.release = std::move(*release);
  generation.override_hash = *override_hash;
  read_trial(reader, generation);
  return generation;
}

}  // namespace

Generation defaults_generation() {
  Generation generation;
  generation.settings_hash = generation.settings.hash();
  return generation;
}

std::string generation_text(const Generation& generation) {
  JsonObject cursor;
  cursor["hub_generation"] = generation.cursor.hub_generation;
  cursor["revision"] = generation.cursor.revision;
  JsonObject sections;
  sections["settings"] = section_json(generation.settings.to_json(), generation.settings_hash);
  JsonObject modules = section_json(generation.modules, protocol::hash_of(generation.modules));
  if (!generation.quarantine.empty()) modules["quarantine"] = generation.quarantine;
  sections["modules"] = std::move(modules);
  JsonObject software = section_json(generation.software, protocol::hash_of(generation.software));
  if (generation.release) {
    software["release"] =
        JsonObject{{"version", generation.release->version}, {"sha256", generation.release->hash.hex()}};
  }
  sections["software"] = std::move(software);
  JsonObject object;
  object["format"] = 1;
  object["generation"] = generation.number;
  object["cursor"] = std::move(cursor);
  object["sections"] = std::move(sections);
  object["override_hash"] = generation.override_hash.hex();
  JsonArray witnesses;
  for (const std::string& name : generation.witnesses)
    witnesses.push_back(JsonString(name));
  if (!witnesses.empty()) object["witnesses"] = std::move(witnesses);
  if (generation.taken_back) {
    object["taken_back"] =
        JsonObject{{"hash", generation.taken_back->hash.hex()}, {"why", generation.taken_back->why}};
  }
  if (generation.tied) object["tied"] = true;
  return seal(std::move(object));
}

Result<Generation> parse_generation(std::string_view text) {
  const auto object = unseal(text);
  if (!object) return fail(object);
  auto generation = generation_from(*object);
  if (!generation) return fail(ErrorCode::corrupted, generation.error().message);
  return generation;
}

Result<Generation> GenerationStore::load(std::int64_t number) {
  const auto text = disk_.read_file(document_of(number), max_document_bytes);
  if (!text) return fail(text);
  auto generation = parse_generation(*text);
  if (generation && generation->number != number) {
    return fail(ErrorCode::corrupted, "the file is of generation " + std::to_string(generation->number));
  }
  return generation;
}

Result<std::vector<std::int64_t>> GenerationStore::numbers() {
  const auto names = disk_.list(folder);
  if (!names) return fail(names);
  std::vector<std::int64_t> found;
  for (const std::string& name : *names) {
    if (const auto number = parse_number(name)) found.push_back(*number);
  }
  return found;
}

Result<std::optional<std::int64_t>> GenerationStore::number_of(std::string_view link) {
  const auto target = disk_.read_link(link);
  if (!target) {
    if (target.error().code == ErrorCode::not_found) return std::nullopt;
    return fail(target);
  }
  std::string_view name = *target;
  if (!name.starts_with(folder)) return std::nullopt;
  name.remove_prefix(std::min(name.size(), folder.size() + 1));
  return parse_number(name);
}

Result<std::optional<Generation>> GenerationStore::load_link(std::string_view link,
                                                             std::vector<Drift>& drift) {
  const auto number = number_of(link);
  if (!number) return fail(number);
  if (!*number) return std::nullopt;
  auto generation = load(**number);
  if (generation) return std::move(*generation);
  if (!is_damage(generation.error())) return fail(generation);
  const std::string aside =
      std::string(folder) + "/" + std::string(corrupt_prefix) + std::to_string(**number);
  const bool kept = disk_.rename(path_of(**number), aside) && disk_.sync_folder(folder);
  const std::string message = "generation " + std::to_string(**number) + " (" + std::string(link) +
                              ") cannot be used: " + generation.error().message +
                              (kept ? "; kept as " + aside : "");
  log_.error(message);
  drift.push_back({"corruption", message, clock_.wall().time_since_epoch().count()});
  if (auto removed = remove_link(link); !removed) return fail(removed);
  return std::nullopt;
}

Result<std::optional<Generation>> GenerationStore::peek(std::string_view link) {
  const auto number = number_of(link);
  if (!number) return fail(number);
  if (!*number) return std::nullopt;
  auto generation = load(**number);
  if (generation) return std::move(*generation);
  if (!is_damage(generation.error())) return fail(generation);
  return std::nullopt;
}

Result<GenerationStore::Opened> GenerationStore::open() {
  if (auto made = disk_.make_folder(folder); !made) return fail(made);
  const auto names = disk_.list(folder);
  if (!names) return fail(names);
  for (std::string_view name : *names) {
    if (name.starts_with(corrupt_prefix)) name.remove_prefix(corrupt_prefix.size());
    last_number_ = std::max(last_number_, parse_number(name).value_or(0));
  }
  Opened opened;
  const auto confirmed_number = number_of("confirmed");
  const auto current_number = number_of("current");
  if (!confirmed_number) return fail(confirmed_number);
  if (!current_number) return fail(current_number);
  const bool same = *confirmed_number && *confirmed_number == *current_number;
  auto current = load_link("current", opened.drift);
  if (!current) return fail(current);
  if (same && !*current) {  // both links named the unreadable one
    if (auto removed = remove_link("confirmed"); !removed) return fail(removed);
  }
  auto confirmed = same ? current : load_link("confirmed", opened.drift);
  if (!confirmed) return fail(confirmed);
  if (*confirmed) {
    confirmed_ = (*confirmed)->number;
    opened.confirmed_release = (*confirmed)->release;
  }
  // The defaults have nothing to prove.
  const Digest proved = *confirmed ? (*confirmed)->settings_hash : defaults_generation().settings_hash;
  opened.settings_confirmed = !*current || (*current)->settings_hash == proved;
  if (*current) current_ = (*current)->number;
  if (!current_ && confirmed_) {
    if (auto back = switch_to(*confirmed_); !back) return fail(back);
    current = std::move(*confirmed);
  }
  opened.current = std::move(*current);
  if (opened.current && opened.settings_confirmed && !opened.current->taken_back) {
    opened.current->witnesses.clear();
  }
  return opened;
}

Result<std::int64_t> GenerationStore::write(const Generation& generation) {
  const std::int64_t number = last_number_ + 1;
  Generation numbered = generation;
  numbered.number = number;
  Result<void> done = disk_.make_folder(path_of(number));
  if (done) done = disk_.write_file(document_of(number), generation_text(numbered), 0600);
  if (done) done = disk_.sync_folder(path_of(number));
  if (done) done = disk_.sync_folder(folder);
  if (!done) {
    // Best effort: what is left is named by no link and is collected later.
    if (!disk_.remove_tree(path_of(number))) last_number_ = number;
    return fail(done, "writing generation " + std::to_string(number));
  }
  last_number_ = number;
  return number;
}

Result<void> GenerationStore::switch_to(std::int64_t number) {
  auto switched = replace_link(disk_, "current", path_of(number));
  if (switched) {
    current_ = number;
    return {};
  }
  if (!stay_at_current()) {
    return fail(switched, "the way back failed too; the next start decides by what is on disk");
  }
  collect();  // it may be tried again for long
  return switched;
}

// The rename may have happened without becoming durable: nothing may claim the new document then.
Result<void> GenerationStore::stay_at_current() {
  const auto named = number_of("current");
  if (named && *named == current_) return {};
  return current_ ? replace_link(disk_, "current", path_of(*current_)) : remove_link("current");
}

Result<void> GenerationStore::confirm() {
  if (!current_) return {};
  if (auto linked = replace_link(disk_, "confirmed", path_of(*current_)); !linked) return linked;
  confirmed_ = current_;
  return {};
}

Result<void> GenerationStore::remove_link(std::string_view link) {
  if (auto removed = disk_.remove_tree(link); !removed) return removed;
  return disk_.sync_folder("");
}

Result<std::optional<Generation>> GenerationStore::load_confirmed() {
  if (!confirmed_) return std::nullopt;
  auto generation = load(*confirmed_);
  if (generation) {
    generation->witnesses.clear();
    generation->tied = false;
    return std::move(*generation);
  }
  if (!is_damage(generation.error())) return fail(generation);
  log_.error("the confirmed generation cannot be used: going back to the defaults",
             {{"generation", *confirmed_}, {"error", generation.error().message}});
  if (auto removed = remove_link("confirmed"); !removed) return fail(removed);
  confirmed_.reset();
  return std::nullopt;
}

Result<void> GenerationStore::confirm(Part part, const Generation& running) {
  auto confirmed = load_confirmed();
  if (!confirmed) return fail(confirmed);
  const Part other = part == Part::settings ? Part::release : Part::settings;
  Generation proved = running;
  take(proved, *confirmed ? **confirmed : defaults_generation(), other);
  const auto number = write(proved);
  if (!number) return fail(number);
  if (auto linked = replace_link(disk_, "confirmed", path_of(*number)); !linked) return linked;
  confirmed_ = *number;
  return {};
}

Result<GenerationStore::Reverted> GenerationStore::revert_settings(const Generation& running,
                                                                   std::string why) {
  auto confirmed = load_confirmed();
  if (!confirmed) return fail(confirmed);
  const Generation proved = *confirmed ? std::move(**confirmed) : defaults_generation();
  Generation back = running;
  take(back, proved, Part::settings);
  back.witnesses = running.witnesses;
  back.taken_back = TakenBack{running.settings_hash, std::move(why)};
  // On a full disk; a restart forgets why then.
  const bool all_may_go_back = same_rest(back, proved);
  auto put = put_back(back, proved, all_may_go_back);
  if (!put) return Reverted{std::move(back), fail(put)};
  return Reverted{std::move(*put), {}};
}

Result<Generation> GenerationStore::revert_release(const Generation& running, std::string why) {
  auto confirmed = load_confirmed();
  if (!confirmed) return fail(confirmed);
  const bool all_may_go_back = confirmed->has_value();  // it may not stay because the disk is full
  const Generation proved = *confirmed ? std::move(**confirmed) : defaults_generation();
  Generation back = running;
  take(back, proved, Part::release);
  if (running.tied) {
    take(back, proved, Part::settings);
    back.modules = proved.modules;
    back.quarantine = proved.quarantine;
    if (running.settings_hash != proved.settings_hash) {
      back.witnesses = running.witnesses;
      back.taken_back = TakenBack{running.settings_hash, std::move(why)};
    }
  }
  return put_back(std::move(back), proved, all_may_go_back);
}

Result<Generation> GenerationStore::put_back(Generation back, const Generation& proved,
                                             bool all_may_go_back) {
  bool as_it_was = same_content(back, proved);
  const auto number = as_it_was ? Result<std::int64_t>(proved.number) : write(back);
  if (!number) {
    if (!all_may_go_back) return fail(number);
    log_.warning("all of the confirmed generation is put back", {{"error", number.error().message}});
    as_it_was = true;
  }
  if (as_it_was) {
    if (auto switched = switch_to_confirmed(); !switched) return fail(switched);
    back.number = proved.number;
    return back;
  }
  if (auto switched = switch_to(*number); !switched) return fail(switched);
  back.number = *number;
  // Should this fail, the next start finds by their content what has proved itself.
  const bool all_proved = back.settings_hash == proved.settings_hash && back.release == proved.release;
  if (auto kept = all_proved ? confirm() : Result<void>(); !kept) {
    log_.warning("cannot confirm the generation", {{"error", kept.error().message}});
  }
  return back;
}

Result<void> GenerationStore::switch_to_confirmed() {
  if (confirmed_) return switch_to(*confirmed_);
  if (auto removed = remove_link("current"); !removed) return removed;
  current_.reset();
  return {};
}

void GenerationStore::collect() {
  const auto names = disk_.list(folder);
  if (!names) return;
  std::vector<std::int64_t> corrupt;
  bool removed = false;
  for (std::string_view name : *names) {
    const std::string path = std::string(folder) + "/" + std::string(name);
    if (name.starts_with(corrupt_prefix)) {
      corrupt.push_back(parse_number(name.substr(corrupt_prefix.size())).value_or(0));
    } else if (const auto number = parse_number(name); number != current_ && number != confirmed_) {
      removed = disk_.remove_tree(path).has_value() || removed;
    }
  }
  std::sort(corrupt.rbegin(), corrupt.rend());
  for (std::size_t i = kept_corrupt; i < corrupt.size(); ++i) {
    const std::string name = std::string(corrupt_prefix) + std::to_string(corrupt[i]);
    removed = disk_.remove_tree(std::string(folder) + "/" + name).has_value() || removed;
  }
  if (removed && !disk_.sync_folder(folder)) log_.warning("old generations may come back after a power loss");
}

std::vector<Digest> GenerationStore::known_override_hashes() {
  std::vector<Digest> hashes;
  const auto found = numbers();
  if (!found) return hashes;
  for (const std::int64_t number : *found) {
    if (const auto generation = load(number)) hashes.push_back(generation->override_hash);
  }
  return hashes;
}

}  // namespace starling::agent
