// Purpose: what a fleet consists of. Every entity is desired state: it changes only by an edit in a change,
// and its JSON is what the log keeps as before and after. Owner: FleetState, as immutable shared values.
// Thread: the hub's. Lifetime: as long as a snapshot holds it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/asset_file.hpp"
#include "protocol/layer.hpp"
#include "protocol/selector.hpp"

namespace starling::hub {

enum class EntityKind { device, persona, group, setting, component, key, action, release, rollout, asset };
std::string_view to_string(EntityKind kind);
Result<EntityKind> parse_entity_kind(std::string_view name);

// Each entity: to_json gives the body that the log and the store keep, from_json reads one back
// (corrupted if it is not such a body). The id is not part of the body.

struct Device {
  std::string id;  // UUID
  std::string name;
  std::string timezone = "UTC";
  std::string device_type;
  protocol::Labels labels;
  std::string public_key;  // base64url Ed25519; empty: a device that only uses REST
  std::string serial;
  std::string clone_of;  // id of the device whose SD card this one started from; empty if none
  std::int64_t registered_at_ms = 0;

  Json to_json() const;
  static Result<Device> from_json(std::string_view id, const Json& body);
};

// Its settings are entities of their own, in the layer persona:<name>.
struct Persona {
  std::string name;
  JsonObject fields;  // voice_id and all else of the file but pi_config

  Json to_json() const;
  static Result<Persona> from_json(std::string_view id, const Json& body);
};

struct Group {
  std::string name;  // one made by --on is called by its canonical selector
  protocol::Selector selector;
  std::int64_t priority = 0;  // higher wins; equal: the newest write wins

  Json to_json() const;
  static Result<Group> from_json(std::string_view id, const Json& body);
};

// Id: layer text, a space, full key. The body of a setting is its value.
struct SettingId {
  protocol::LayerId layer;
  std::string key;
  std::string text() const;
  static Result<SettingId> parse(std::string_view text);
};

enum class Role { viewer, guardian, operator_, admin };  // each may do all that the ones before it may
std::string_view to_string(Role role);
Result<Role> parse_role(std::string_view name);

struct Grant {
  std::string fleet;
  Role role = Role::viewer;
  protocol::Selector selector;  // the devices that it covers; empty: all
};

struct Key {
  std::string id;
  std::string name;
  bool enrolment = false;  // may register devices and nothing else
  Digest secret_hash;
  std::vector<Grant> grants;
  std::int64_t created_at_ms = 0;
  std::int64_t expires_at_ms = 0;  // 0: never

  Json to_json() const;
  static Result<Key> from_json(std::string_view id, const Json& body);
};

// A published version, as far as the log tells it: the signed metadata is what counts.
struct Release {
  std::string version;
  JsonObject fields;  // type, description, architectures with the hashes of their tars

  Json to_json() const { return fields; }
  static Result<Release> from_json(std::string_view id, const Json& body);
};

// A name of a file that personas and settings may name. The file itself is kept by its hash, outside the log.
struct Asset {
  std::string name;
  protocol::AssetFile file;

  Json to_json() const { return file.to_json(); }
  static Result<Asset> from_json(std::string_view id, const Json& body);
};

// Carried out at most once by each device that it names; results are not desired state and live in the store.
struct ActionRequest {
  std::string id;
  std::string name;
  JsonObject parameters;
  std::string device;           // one device, or
  protocol::Selector selector;  // all that match when it reaches them
  std::int64_t expires_at_ms = 0;
  std::int64_t issued_at_ms = 0;

  Json to_json() const;
  static Result<ActionRequest> from_json(std::string_view id, const Json& body);
};

}  // namespace starling::hub
