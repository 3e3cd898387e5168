#include "agent/identity.hpp"

#include "base/json.hpp"
#include "base/uuid.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_identity_bytes = 16 * 1024;
constexpr std::size_t max_token_bytes = 4096;
constexpr std::size_t max_told_bytes = 64 * 1024;
constexpr unsigned secret_mode = 0600;

struct Saved {
  std::string device_id;
  Ed25519KeyPair keys;
  std::string serial;
  std::string cloned_from;
  std::int64_t start_count = 0;
};

Result<Saved> parse_identity(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return fail(json);
  if (!json->is_object()) return fail(ErrorCode::invalid_argument, "not a JSON object");
  const JsonReader reader(json->get_object());
  Saved saved;
  auto id = reader.string("device_id");
  if (!id) return fail(id);
  if (!is_uuid(*id)) return fail(ErrorCode::invalid_argument, "device_id is not a UUID");
  const auto key = reader.string("private_key");
  if (!key) return fail(key);
  const auto raw = base64url_decode(*key);
  if (!raw) return fail(raw);
  auto keys = ed25519_key_pair_from(*raw);
  if (!keys) return fail(keys);
  auto serial = reader.string("serial");
  if (!serial) return fail(serial);
  auto cloned = reader.optional_string("cloned_from");
  if (!cloned) return fail(cloned);
  const auto starts = reader.integer("start_count");
  if (!starts) return fail(starts);
  saved.device_id = std::move(*id);
  saved.keys = std::move(*keys);
  saved.serial = std::move(*serial);
  saved.cloned_from = cloned->value_or("");
  saved.start_count = *starts;
  return saved;
}

// Nothing of another device's, or if it cannot be read.
JsonObject parse_told(std::string_view text, std::string_view device_id) {
  auto json = parse_json(text);
  if (!json || !json->is_object()) return {};
  const JsonReader reader(json->get_object());
  if (reader.string("device_id").value_or("") != device_id) return {};
  const JsonObject* facts = reader.optional_object("facts").value_or(nullptr);
  return facts == nullptr ? JsonObject() : *facts;
}

// A state folder that was used before has settings; losing its identity silently would enrol a stranger.
std::unexpected<Error> unreadable(const Error& error) {
  return fail(ErrorCode::corrupted,
              "the device's identity file '" + std::string(Identity::path) + "' cannot be read (" +
                  error.message +
                  "). Restore it from a backup, or remove it to enrol this device as a new one");
}

}  // namespace

IdentitySource RandomIdentityMaker::make() {
  return {make_uuid_v7(clock_.wall()), make_ed25519_key_pair()};
}

Result<Identity> Identity::load(Disk& disk, IdentityMaker& maker, std::string_view board_serial, Logger log) {
  Identity identity;
  const auto text = disk.read_file(path, max_identity_bytes);
  if (!text && text.error().code != ErrorCode::not_found) return unreadable(text.error());
  if (text) {
    auto saved = parse_identity(*text);
    if (!saved) return unreadable(saved.error());
    identity.device_id_ = std::move(saved->device_id);
    identity.keys_ = std::move(saved->keys);
    identity.serial_ = std::move(saved->serial);
    identity.cloned_from_ = std::move(saved->cloned_from);
    identity.start_count_ = saved->start_count;
  }
  const bool copied =
      text && !board_serial.empty() && !identity.serial_.empty() && identity.serial_ != board_serial;
  if (copied) {
    // The original board goes on under its name; what it knew is kept for whoever copied it by mistake.
    const std::string aside = "identity-of-" + identity.device_id_ + ".json";
    if (auto kept = replace_file(disk, aside, *text, secret_mode); !kept) return fail(kept);
    if (auto removed = disk.remove_tree(token_path); !removed) return fail(removed);
    if (auto synced = disk.sync_folder(""); !synced) return fail(synced);
    log.warning("this state folder comes from another board: enrolling as a new device",
                {{"cloned_from", identity.device_id_}, {"kept", aside}});
  }
  if (!text || copied) {
    IdentitySource made = maker.make();
    identity.cloned_from_ = copied ? identity.device_id_ : "";
    identity.device_id_ = std::move(made.device_id);
    identity.keys_ = std::move(made.keys);
    identity.start_count_ = 0;
  }
  if (!board_serial.empty()) identity.serial_ = board_serial;
  ++identity.start_count_;
  if (auto saved = identity.save(disk); !saved) {
    if (!text || copied) return fail(saved, "saving the device's identity");
    // A full disk does not keep a device from working; the hub notices a repeated start counter and says so.
    log.error("the start counter cannot be saved", {{"error", saved.error().message}});
  }
  if (auto told = disk.read_file(told_path, max_told_bytes)) {
    identity.told_ = parse_told(*told, identity.device_id_);
  }
  if (auto token = disk.read_file(token_path, max_token_bytes)) identity.token_ = std::move(*token);
  identity.told_is_lost_ = identity.told_.empty() && !identity.token_.empty();
  return identity;
}

Result<void> Identity::save(Disk& disk) const {
  JsonObject json;
  json["device_id"] = device_id_;
  json["private_key"] = base64url_encode(keys_.private_key);
  json["serial"] = serial_;
  if (!cloned_from_.empty()) json["cloned_from"] = cloned_from_;
  json["start_count"] = start_count_;
  return replace_file(disk, path, boost::json::serialize(json) + "\n", secret_mode);
}

Result<void> Identity::save_token(Disk& disk, std::string_view token) {
  token_ = token;
  return replace_file(disk, token_path, token, secret_mode);
}

JsonObject Identity::untold(const JsonObject& facts) const {
  JsonObject untold;
  for (const auto& [name, value] : facts) {
    const Json* told = told_.if_contains(name);
    if (told_is_lost_ && name != "metadata") continue;
    if (told == nullptr || *told != value) untold[name] = value;
  }
  return untold;
}

Result<void> Identity::save_told(Disk& disk, JsonObject facts) {
  told_is_lost_ = false;
  if (facts == told_) return {};
  told_ = std::move(facts);
  const JsonObject json{{"device_id", device_id_}, {"facts", told_}};
  return replace_file(disk, told_path, boost::json::serialize(json) + "\n", secret_mode);
}

Result<void> Identity::raise_start_count(Disk& disk, std::int64_t above) {
  if (above < start_count_) return {};
  start_count_ = above + 1;
  return save(disk);
}

Result<std::string> Identity::sign(std::string_view message) const {
  return ed25519_sign(keys_.private_key, message);
}

}  // namespace starling::agent
