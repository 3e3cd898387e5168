#include "agent/update/update_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/settings/sealed_json.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_record_bytes = 1u << 20;
constexpr std::size_t max_ready_before = 256;

constexpr std::array<std::pair<RecordedStep, std::string_view>, 11> words{{
    {RecordedStep::none, "none"},
    {RecordedStep::pending, "pending"},
    {RecordedStep::downloading, "downloading"},
    {RecordedStep::installing, "installing"},
    {RecordedStep::waiting, "waiting"},
    {RecordedStep::switching, "switching"},
    {RecordedStep::provisional, "provisional"},
    {RecordedStep::confirmed, "confirmed"},
    {RecordedStep::refused, "refused"},
    {RecordedStep::going_back, "going_back"},
    {RecordedStep::reverted, "reverted"},
}};

std::unexpected<Error> damaged_record(std::string message) {
  return fail(ErrorCode::corrupted, std::move(message));
}

Result<RecordedStep> step_in(const JsonReader& reader, std::string_view key) {
  const auto text = reader.string(key);
  if (!text) return fail(text);
  const auto* const found = std::ranges::find(words, *text, &decltype(words)::value_type::second);
  if (found == words.end()) return damaged_record("'" + *text + "' is no step");
  return found->first;
}

Result<Digest> digest_in(std::string_view hex) {
  const auto digest = Digest::from_hex(hex);
  if (!digest || !*digest) return damaged_record("a hash cannot be read");
  return *digest;
}

JsonObject to_json(const UpdateFailure& failure) {
  return {{"fingerprint", failure.fingerprint}, {"message", failure.message}, {"at_ms", failure.at_ms}};
}

Result<UpdateFailure> failure_from(const JsonObject& object) {
  const JsonReader reader(object);
  auto fingerprint = reader.string("fingerprint");
  if (!fingerprint) return fail(fingerprint);
  auto message = reader.string("message", max_record_bytes);
  if (!message) return fail(message);
  const auto at = reader.integer("at_ms");
  if (!at) return fail(at);
  return UpdateFailure{std::move(*fingerprint), std::move(*message), *at};
}

JsonObject to_json(const ReleaseTarget& target) {
  return {{"version", target.release.version},
          {"sha256", target.release.hash.hex()},
          {"architecture", target.architecture},
          {"path", target.path},
          {"length", target.length},
          {"custom", target.custom}};
}

Result<ReleaseTarget> target_from(const JsonObject& object) {
  const JsonReader reader(object);
  ReleaseTarget target;
  auto version = reader.string("version");
  if (!version) return fail(version);
  auto architecture = reader.string("architecture");
  if (!architecture) return fail(architecture);
  auto path = reader.string("path");
  if (!path) return fail(path);
  const auto hex = reader.string("sha256");
  if (!hex) return fail(hex);
  const auto hash = digest_in(*hex);
  if (!hash) return fail(hash);
  const auto length = reader.integer("length");
  if (!length) return fail(length);
  const auto custom = reader.object("custom");
  if (!custom) return fail(custom);
  if (*length < 0) return damaged_record("a negative length");
  target.release = {std::move(*version), *hash};
  target.architecture = std::move(*architecture);
  target.path = std::move(*path);
  target.length = static_cast<std::uint64_t>(*length);
  target.custom = **custom;
  return target;
}

Result<BadRelease> bad_from(const Json& json) {
  if (!json.is_object()) return damaged_record("a bad release is no object");
  const JsonReader reader(json.get_object());
  const auto hex = reader.string("sha256");
  if (!hex) return fail(hex);
  const auto hash = digest_in(*hex);
  if (!hash) return fail(hash);
  const auto became = step_in(reader, "became");
  if (!became) return fail(became);
  const auto failure = reader.object("failure");
  if (!failure) return fail(failure);
  auto read = failure_from(**failure);
  if (!read) return fail(read);
  return BadRelease{*hash, *became, std::move(*read)};
}

Result<FailedUpdate> failed_from(const JsonObject& object) {
  const JsonReader reader(object);
  auto version = reader.string("version");
  if (!version) return fail(version);
  const auto became = step_in(reader, "became");
  if (!became) return fail(became);
  auto failure = failure_from(object);
  if (!failure) return fail(failure);
  return FailedUpdate{std::move(*version), *became, std::move(*failure)};
}

JsonObject to_json(const FailedUpdate& failed) {
  JsonObject object = to_json(failed.failure);
  object["version"] = failed.version;
  object["became"] = to_string(failed.became);
  return object;
}

// What records of older agents lack.
Result<void> read_failures(const JsonReader& reader, UpdateRecord& record) {
  const auto failed = reader.optional_object("last_failed");
  if (!failed) return fail(failed);
  if (*failed != nullptr) {
    auto read = failed_from(**failed);
    if (!read) return fail(read);
    record.last_failed = std::move(*read);
  }
  const auto trials = reader.optional_integer("hubless_trials");
  if (!trials) return fail(trials);
  const auto until = reader.optional_integer("hubless_until_ms");
  if (!until) return fail(until);
  const auto mended = reader.optional_integer("mended_at_ms");
  if (!mended) return fail(mended);
  record.mended_at_ms = mended->value_or(0);
  record.hubless_trials = trials->value_or(0);
  record.hubless_until_ms = until->value_or(0);
  return {};
}

JsonObject to_json(const RecordedPackages& packages) {
  return {
      {"release", packages.release.hex()},
      {"changed", packages.changed},
      {"attempt", packages.attempt},
      {"outcome", to_string(packages.outcome)},
      {"message", packages.message},
      {"without_way_back", JsonArray(packages.without_way_back.begin(), packages.without_way_back.end())}};
}

Result<RecordedPackages> packages_from(const JsonObject& object) {
  const JsonReader reader(object);
  RecordedPackages packages;
  const auto hex = reader.string("release");
  if (!hex) return fail(hex);
  const auto hash = digest_in(*hex);
  if (!hash) return fail(hash);
  const auto changed = reader.boolean("changed");
  if (!changed) return fail(changed);
  const auto attempt = reader.optional_integer("attempt");
  if (!attempt) return fail(attempt);
  const auto word = reader.string("outcome");
  if (!word) return fail(word);
  const auto outcome = protocol::parse_package_outcome(*word);
  if (!outcome) return fail(outcome);
  auto message = reader.string("message", max_record_bytes);
  if (!message) return fail(message);
  const auto without = reader.array("without_way_back");
  if (!without) return fail(without);
  for (const Json& one : **without) {
    if (!one.is_string()) return damaged_record("a package is no string");
    packages.without_way_back.emplace_back(one.get_string());
  }
  packages.release = *hash;
  packages.changed = *changed;
  packages.attempt = attempt->value_or(0);
  packages.outcome = *outcome;
  packages.message = std::move(*message);
  return packages;
}

Result<StartCounts> counts_in(const JsonReader& reader) {
  const auto crashes = reader.integer("crashes_before");
  if (!crashes) return fail(crashes);
  const auto unrecorded = reader.integer("unrecorded_before");
  if (!unrecorded) return fail(unrecorded);
  constexpr std::int64_t most = 0xffffffff;
  return StartCounts{static_cast<std::uint32_t>(std::clamp<std::int64_t>(*crashes, 0, most)),
                     static_cast<std::uint32_t>(std::clamp<std::int64_t>(*unrecorded, 0, most))};
}

Result<std::vector<Digest>> hashes_in(const JsonArray& array, std::size_t most) {
  if (array.size() > most) return damaged_record("a list is too long");
  std::vector<Digest> hashes;
  for (const Json& json : array) {
    if (!json.is_string()) return damaged_record("a hash is no string");
    const auto hash = digest_in(std::string_view(json.get_string()));
    if (!hash) return fail(hash);
    hashes.push_back(*hash);
  }
  return hashes;
}

JsonArray hashes_json(const std::vector<Digest>& hashes) {
  JsonArray array;
  for (const Digest& hash : hashes)
    array.push_back(JsonString(hash.hex()));
  return array;
}

Result<void> read_lists(const JsonReader& reader, UpdateRecord& record) {
  const auto ready = reader.array("ready_before");
  if (!ready) return fail(ready);
  const auto bad = reader.array("bad");
  if (!bad) return fail(bad);
  const auto unpacked = reader.array("unpacked");
  if (!unpacked) return fail(unpacked);
  const auto proven = reader.optional_array("proven");
  if (!proven) return fail(proven);
  if ((*ready)->size() > max_ready_before || (*bad)->size() > UpdateRecord::kept_bad) {
    return damaged_record("a list is too long");
  }
  for (const Json& name : **ready) {
    if (!name.is_string()) return damaged_record("a module's name is no string");
    record.ready_before.emplace_back(name.get_string());
  }
  for (const Json& json : **bad) {
    auto one = bad_from(json);
    if (!one) return fail(one);
    record.bad.push_back(std::move(*one));
  }
  auto hashes = hashes_in(**unpacked, UpdateRecord::kept_unpacked);
  if (!hashes) return fail(hashes);
  record.unpacked = std::move(*hashes);
  if (*proven == nullptr) return {};
  hashes = hashes_in(**proven, UpdateRecord::kept_proven);
  if (!hashes) return fail(hashes);
  record.proven = std::move(*hashes);
  return {};
}

Result<UpdateRecord> record_from(const JsonObject& object) {
  const JsonReader reader(object);
  UpdateRecord record;
  const auto section = reader.object("section");
  if (!section) return fail(section);
  record.section = **section;
  const auto revision = reader.integer("revision");
  if (!revision) return fail(revision);
  record.revision = *revision;
  const auto step = step_in(reader, "step");
  if (!step) return fail(step);
  record.step = *step;
  const auto target = reader.optional_object("target");
  if (!target) return fail(target);
  if (*target != nullptr) {
    auto read = target_from(**target);
    if (!read) return fail(read);
    record.target = std::move(*read);
  }
  const auto failure = reader.optional_object("failure");
  if (!failure) return fail(failure);
  if (*failure != nullptr) {
    auto read = failure_from(**failure);
    if (!read) return fail(read);
    record.failure = std::move(*read);
  }
  const auto packages = reader.optional_object("packages");
  if (!packages) return fail(packages);
  if (*packages != nullptr) {
    auto read = packages_from(**packages);
    if (!read) return fail(read);
    record.packages = std::move(*read);
  }
  const auto encoding = reader.optional_string("encoding");
  if (!encoding) return fail(encoding);
  if (*encoding) record.encoding = protocol::parse_encoding(**encoding).value_or(protocol::Encoding::plain);
  if (auto failures = read_failures(reader, record); !failures) return fail(failures);
  const auto before = counts_in(reader);
  if (!before) return fail(before);
  record.before = *before;
  const auto starts = reader.integer("trial_starts");
  if (!starts) return fail(starts);
  record.trial_starts = *starts;
  if (auto lists = read_lists(reader, record); !lists) return fail(lists);
  return record;
}

}  // namespace

std::string_view to_string(RecordedStep step) {
  const auto* const found = std::ranges::find(words, step, &decltype(words)::value_type::first);
  return found == words.end() ? "none" : found->second;
}

std::string update_record_text(const UpdateRecord& record) {
  JsonObject object;
  object["section"] = record.section;
  object["revision"] = record.revision;
  object["step"] = to_string(record.step);
  if (record.target) object["target"] = to_json(*record.target);
  if (record.encoding != protocol::Encoding::delta) object["encoding"] = to_string(record.encoding);
  if (record.failure) object["failure"] = to_json(*record.failure);
  if (record.packages) object["packages"] = to_json(*record.packages);
  if (record.last_failed) object["last_failed"] = to_json(*record.last_failed);
  if (record.hubless_trials > 0) object["hubless_trials"] = record.hubless_trials;
  if (record.hubless_until_ms > 0) object["hubless_until_ms"] = record.hubless_until_ms;
  if (record.mended_at_ms > 0) object["mended_at_ms"] = record.mended_at_ms;
  object["crashes_before"] = record.before.crashes;
  object["unrecorded_before"] = record.before.unrecorded;
  object["trial_starts"] = record.trial_starts;
  JsonArray ready, bad;
  for (const std::string& name : record.ready_before)
    ready.push_back(JsonString(name));
  for (const BadRelease& one : record.bad) {
    bad.push_back(JsonObject{
        {"sha256", one.hash.hex()}, {"became", to_string(one.became)}, {"failure", to_json(one.failure)}});
  }
  object["ready_before"] = std::move(ready);
  object["bad"] = std::move(bad);
  object["unpacked"] = hashes_json(record.unpacked);
  object["proven"] = hashes_json(record.proven);
  return seal(std::move(object));
}

Result<UpdateRecord> parse_update_record(std::string_view text) {
  const auto object = unseal(text);
  if (!object) return fail(object);
  auto record = record_from(*object);
  if (!record) return damaged_record(record.error().message);
  return record;
}

Result<UpdateRecord> peek_update_record(Disk& disk) {
  const auto text = disk.read_file(UpdateRecord::path, max_record_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return UpdateRecord();
  return text ? parse_update_record(*text) : Result<UpdateRecord>(fail(text));
}

Result<OpenedRecord> open_update_record(Disk& disk) {
  auto record = peek_update_record(disk);
  if (record) return OpenedRecord{std::move(*record), ""};
  if (!is_damage(record.error())) return fail(record);
  const std::string aside = "corrupt-" + std::string(UpdateRecord::path);
  if (auto moved = disk.rename(UpdateRecord::path, aside); !moved) return fail(moved);
  if (auto synced = disk.sync_folder(""); !synced) return fail(synced);
  return OpenedRecord{
      {}, "the record of software updates cannot be used: " + record.error().message + "; kept as " + aside};
}

Result<void> save_update_record(Disk& disk, const UpdateRecord& record) {
  return replace_file(disk, UpdateRecord::path, update_record_text(record), 0600);
}

std::optional<UpdateFailure> failure_of_starts(const UpdateRecord& record, const StartCounts& now,
                                               std::int64_t now_ms) {
  constexpr StartLimits limits;
  // The keeper begins anew when an agent has been well for a while.
  const auto since = [](std::uint32_t count, std::uint32_t before) {
    return count >= before ? count - before : count;
  };
  const std::uint32_t crashes = since(now.crashes, record.before.crashes);
  const std::uint32_t cuts = since(now.unrecorded, record.before.unrecorded);
  if (crashes >= limits.crashes) {
    return UpdateFailure{"agent-crashes", fmt::format("the agent crashed {} times", crashes), now_ms};
  }
  if (cuts >= limits.power_cuts) {
    return UpdateFailure{"power-cuts", fmt::format("the power was cut {} times", cuts), now_ms};
  }
  if (record.trial_starts >= limits.starts) {
    return UpdateFailure{"agent-starts", fmt::format("the agent started {} times", record.trial_starts),
                         now_ms};
  }
  return std::nullopt;
}

}  // namespace starling::agent
