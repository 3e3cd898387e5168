#include "protocol/tuf/metadata.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <utility>

#include "protocol/field_reader.hpp"
#include "protocol/tuf/canonical_form.hpp"

namespace starling::protocol::tuf {
namespace {

constexpr std::int64_t largest = std::int64_t{1} << 53;  // what every JSON reader keeps exactly
constexpr std::size_t max_keys = 128;
constexpr std::size_t max_key_id_bytes = 128;
constexpr std::size_t max_signature_digits = 4096;
constexpr std::size_t max_delegations = 1024;
constexpr std::size_t max_patterns = 65'536;

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "1.0" or "1.0.31": any version of the first major one.
bool is_known_version(std::string_view text) {
  const std::size_t first = text.find('.');
  if (first == std::string_view::npos || text.substr(0, first) != "1") return false;
  const std::string_view rest = text.substr(first + 1);
  const std::size_t second = rest.find('.');
  if (second == std::string_view::npos) return all_digits(rest);
  return all_digits(rest.substr(0, second)) && all_digits(rest.substr(second + 1));
}

// "2030-01-01T00:00:00Z" and no other form.
std::optional<std::chrono::sys_seconds> date_time(std::string_view text) {
  constexpr std::string_view form = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != form.size()) return {};
  std::array<int, 6> numbers{};
  std::size_t number = 0;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] != 'd') {
      if (text[i] != form[i]) return {};
      ++number;
    } else {
      if (text[i] < '0' || text[i] > '9') return {};
      numbers[number] = numbers[number] * 10 + (text[i] - '0');
    }
  }
  const auto [year, month, day, hour, minute, second] = numbers;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return {};
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second);
}

// A role's file is fetched and stored under its name, so that it must be none of the four top ones.
bool is_delegable(std::string_view name) {
  return !name.empty() && name != "root" && name != "timestamp" && name != "snapshot" && name != "targets";
}

// Reads the object `key`, which must be there, with `read(FieldReader&)`.
template <typename Read>
void within(FieldReader& reader, std::string_view key, Read read) {
  if (reader.object(key) != nullptr) reader.optional_within(key, read);
}

Signers read_signers(FieldReader& reader) {
  Signers signers;
  signers.threshold = reader.integer("threshold", 1, largest);
  if (reader.any("keyids") != nullptr) {
    signers.key_ids = reader.optional_texts("keyids", max_keys, max_key_id_bytes);
  }
  std::set<std::string_view> seen(signers.key_ids.begin(), signers.key_ids.end());
  if (seen.size() != signers.key_ids.size()) reader.refuse("keyids", "names a key twice");
  return signers;
}

Keys read_keys(FieldReader& reader) {
  Keys keys;
  const JsonObject* all = reader.object("keys");
  if (all == nullptr) return keys;
  if (all->size() > max_keys) reader.refuse("keys", fmt::format("must have at most {} keys", max_keys));
  for (const auto& [id, value] : *all) {
    if (reader.failed()) break;
    if (!value.is_object() || id.size() > max_key_id_bytes) {
      reader.refuse("keys", "must have objects under their key ids");
    } else {
      keys.emplace(id, key_from_json(id, value.get_object()));
    }
  }
  return keys;
}

// Reads every member of the object `key` with `read(FieldReader&)`, under its name.
template <typename T, typename Read>
std::map<std::string, T, std::less<>> read_map(FieldReader& reader, std::string_view key,
                                               std::size_t max_name_bytes, Read read) {
  std::map<std::string, T, std::less<>> values;
  within(reader, key, [&](FieldReader& members) {
    for (const auto& member : members.all()) {
      const std::string_view name = member.key();
      if (name.size() > max_name_bytes || !member.value().is_object()) {
        members.refuse(name, fmt::format("must be an object, its name at most {} bytes", max_name_bytes));
      }
      if (members.failed()) return;
      members.optional_within(name, [&](FieldReader& value) { values.emplace(name, read(value)); });
    }
  });
  return values;
}

Hashes read_hashes(FieldReader& reader) {
  Hashes hashes;
  constexpr std::tuple<const char*, HashAlgorithm, std::size_t> known[] = {
      {"sha256", HashAlgorithm::sha256, 64}, {"sha512", HashAlgorithm::sha512, 128}};
  for (const auto& [name, algorithm, digits] : known) {
    std::string hex = reader.optional_text(name, 256);
    if (hex.empty()) continue;
    if (hex.size() != digits || hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
      reader.refuse(name, fmt::format("must have {} lower-case hexadecimal digits", digits));
    }
    hashes.push_back({algorithm, std::move(hex)});
  }
  return hashes;
}

FileMeta read_file_meta(FieldReader& reader) {
  FileMeta meta;
  meta.version = reader.integer("version", 1, largest);
  if (const std::int64_t length = reader.optional_integer("length", 0, largest, -1); length >= 0) {
    meta.length = length;
  }
  reader.optional_within("hashes", [&](FieldReader& hashes) { meta.hashes = read_hashes(hashes); });
  if (meta.hashes.empty() && reader.all().contains("hashes")) {
    reader.refuse("hashes", "must have a hash by sha256 or sha512");
  }
  return meta;
}

TargetFile read_target_file(FieldReader& reader) {
  TargetFile file;
  file.length = reader.integer("length", 0, largest);
  within(reader, "hashes", [&](FieldReader& hashes) { file.hashes = read_hashes(hashes); });
  file.custom = reader.optional_object("custom");
  return file;
}

DelegatedRole read_delegated_role(FieldReader& reader) {
  DelegatedRole role;
  role.name = reader.text("name", max_role_name_bytes);
  if (!is_delegable(role.name)) reader.refuse("name", "must not be empty, nor the name of a top-level role");
  role.signers = read_signers(reader);
  role.terminating = reader.optional_boolean("terminating", false);
  role.paths = reader.optional_texts("paths", max_patterns, max_target_path_bytes);
  role.path_hash_prefixes = reader.optional_texts("path_hash_prefixes", max_patterns, 64);
  if (reader.all().contains("paths") && reader.all().contains("path_hash_prefixes")) {
    reader.refuse("paths", "must not be there together with path_hash_prefixes");
  }
  return role;
}

SuccinctRoles read_succinct_roles(FieldReader& reader) {
  SuccinctRoles roles;
  roles.signers = read_signers(reader);
  roles.bit_length = static_cast<int>(reader.integer("bit_length", 1, 32));
  roles.name_prefix = reader.text("name_prefix", max_role_name_bytes - std::string_view("-00000000").size());
  return roles;
}

Delegations read_delegations(FieldReader& reader) {
  Delegations delegations;
  delegations.keys = read_keys(reader);
  delegations.roles = reader.optional_list<DelegatedRole>("roles", max_delegations, read_delegated_role);
  std::set<std::string_view> names;
  for (const DelegatedRole& role : delegations.roles) {
    if (!names.insert(role.name).second) reader.refuse("roles", "must not name a role twice");
  }
  if (reader.all().contains("roles") == reader.all().contains("succinct_roles")) {
    reader.refuse("roles", "must be there, or succinct_roles, and not both");
  }
  reader.optional_within("succinct_roles", [&](FieldReader& succinct) {
    delegations.succinct_roles = read_succinct_roles(succinct);
  });
  return delegations;
}

Result<std::vector<Signature>> read_signatures(const JsonObject& file) {
  FieldReader reader(file);
  if (reader.any("signatures") == nullptr)
    return reader.finish<std::vector<Signature>>(std::vector<Signature>());
  std::vector<Signature> signatures =
      reader.optional_list<Signature>("signatures", max_keys, [](FieldReader& one) {
        Signature signature{.key_id = one.text("keyid", max_key_id_bytes), .bytes = {}};
        // Whatever is no signature counts like a wrong one.
        signature.bytes = hex_decode(one.text("sig", max_signature_digits)).value_or("");
        return signature;
      });
  std::set<std::string_view> seen;
  for (const Signature& signature : signatures) {
    if (!seen.insert(signature.key_id).second) reader.refuse("signatures", "has two of one key");
  }
  return reader.finish<std::vector<Signature>>(std::move(signatures));
}

// The frame of every kind; `read(FieldReader&, T&)` reads what is its own.
template <typename T, typename Read>
Result<T> parse(std::string_view bytes, std::string_view type, std::size_t max_bytes, Read read) {
  const Result<Json> json = parse_json(bytes, {.max_bytes = max_bytes, .max_depth = 32});
  if (!json) return fail(json);
  const JsonObject* file = json->if_object();
  if (file == nullptr) return fail(ErrorCode::invalid_argument, "must be a JSON object");
  const Json* part = file->if_contains("signed");
  const JsonObject* content = part == nullptr ? nullptr : part->if_object();
  if (content == nullptr) return fail(ErrorCode::invalid_argument, "/signed must be an object", "/signed");

  T metadata;
  Result<std::vector<Signature>> signatures = read_signatures(*file);
  if (!signatures) return fail(signatures);
  metadata.signatures = std::move(*signatures);
  Result<std::string> canonical = canonical_form(*part);
  if (!canonical) return fail(canonical);
  metadata.signed_bytes = std::move(*canonical);

  FieldReader reader(*content, "/signed");
  if (reader.text("_type", 64) != type) reader.refuse("_type", fmt::format("must be \"{}\"", type));
  if (!is_known_version(reader.text("spec_version", 64))) {
    reader.refuse("spec_version", "must be 1.0 or another version that begins with 1.");
  }
  metadata.version = reader.integer("version", 1, largest);
  const auto expires = date_time(reader.text("expires", 64));
  if (!expires) reader.refuse("expires", "must be a time like 2030-01-01T00:00:00Z");
  metadata.expires = expires.value_or(std::chrono::sys_seconds());
  read(reader, metadata);
  return reader.finish<T>(std::move(metadata));
}

}  // namespace

Result<Root> parse_root(std::string_view bytes) {
  return parse<Root>(bytes, "root", max_root_bytes, [](FieldReader& reader, Root& root) {
    root.consistent_snapshot = reader.optional_boolean("consistent_snapshot", false);
    root.keys = read_keys(reader);
    within(reader, "roles", [&root](FieldReader& roles) {
      const std::pair<const char*, Signers*> top[] = {{"root", &root.root},
                                                      {"timestamp", &root.timestamp},
                                                      {"snapshot", &root.snapshot},
                                                      {"targets", &root.targets}};
      for (const auto& [name, signers] : top) {
        within(roles, name, [to = signers](FieldReader& role) { *to = read_signers(role); });
      }
    });
  });
}

Result<Timestamp> parse_timestamp(std::string_view bytes) {
  return parse<Timestamp>(
      bytes, "timestamp", max_timestamp_bytes, [](FieldReader& reader, Timestamp& timestamp) {
        within(reader, "meta", [&timestamp](FieldReader& meta) {
          within(meta, "snapshot.json",
                 [&timestamp](FieldReader& file) { timestamp.snapshot = read_file_meta(file); });
        });
      });
}

Result<Snapshot> parse_snapshot(std::string_view bytes) {
  return parse<Snapshot>(bytes, "snapshot", max_snapshot_bytes, [](FieldReader& reader, Snapshot& snapshot) {
    snapshot.files = read_map<FileMeta>(reader, "meta", max_role_name_bytes + 5, read_file_meta);
  });
}

Result<Targets> parse_targets(std::string_view bytes) {
  return parse<Targets>(bytes, "targets", max_targets_bytes, [](FieldReader& reader, Targets& targets) {
    targets.targets = read_map<TargetFile>(reader, "targets", max_target_path_bytes, read_target_file);
    reader.optional_within("delegations", [&targets](FieldReader& delegations) {
      targets.delegations = read_delegations(delegations);
    });
  });
}

}  // namespace starling::protocol::tuf
