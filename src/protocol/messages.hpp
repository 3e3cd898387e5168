// Purpose: the messages of the device link, as types; docs/wire-protocol.md is their prose.
// Owner: values. Thread: any. Lifetime: none.
//
// Encoding: one JSON object a message, `type` first. Decoding ignores unknown members and reports unknown
// types as such, so that either end may be newer. Digests are hex strings, "" for none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/document.hpp"

namespace starling::protocol {

// Grows by one with each incompatible or capability-adding change; its history is in docs/wire-protocol.md.
inline constexpr int protocol_version = 1;
inline constexpr int oldest_protocol_version = 1;
// The request header by which a client asks for this protocol; without it, it is served the flat payload.
inline constexpr std::string_view protocol_header = "X-Starling-Protocol";
inline constexpr std::string_view link_path = "/api/v1/link";
// Of one message: what the hub reads from a device, and what a device reads from the hub. Both ends set their
// WebSocket limits to it.
inline constexpr std::size_t max_device_message_bytes = std::size_t{256} * 1024;
inline constexpr std::size_t max_hub_message_bytes = std::size_t{1024} * 1024;
inline constexpr std::int64_t max_log_lines = 1000;       // asked for, or in one message
inline constexpr std::size_t max_log_line_bytes = 16384;  // a line of 8 kB in its longest escaping fits

// Persisted start counter, then connection counter: grows with every connection that a device ever makes.
struct SessionEpoch {
  std::int64_t start = 0;
  std::int64_t connection = 0;
  auto operator<=>(const SessionEpoch&) const = default;
};

// A place in a fleet's log; comparable only within one hub generation.
struct Cursor {
  std::string hub_generation;
  std::int64_t revision = 0;
  bool operator==(const Cursor&) const = default;
};

struct SectionState {
  Section section = Section::settings;
  Digest applied;  // of the running document
  Digest refused;  // of the document refused last, none if the newest offer was accepted
};

// A device-side edit: the value that was seen there and the value that replaced it.
struct PendingEdit {
  std::string id;  // UUID; the hub settles each once
  std::string key;
  Json from;               // null: not set on the device before
  Json to;                 // null: back to what the hub wants
  std::int64_t at_ms = 0;  // Unix time on the device's clock
};

struct KeyError {
  std::string key;
  std::string message;

  bool operator==(const KeyError&) const = default;
};

// ---- hub → device

struct Challenge {  // first message of the hub: what the handshake must sign
  std::string nonce;
};

struct Welcome {
  std::int64_t hub_time_ms = 0;
  std::int64_t heartbeat_seconds = 300;
  std::string hub_generation;
  std::int64_t revision = 0;
  std::string token;        // a new bearer token, when the hub rotates it or the old one was lost; else empty
  std::string fleet;        // that the device is of; empty: an older hub does not say
  bool quarantine = false;  // the hub keeps back what the device has refused of its settings
};

struct ConfigUpdate {
  Section section = Section::settings;
  std::int64_t revision = 0;
  std::string hub_generation;
  Digest base;  // none: `payload` is the full section; else a merge patch on the section with this hash
  Digest hash;  // of the result
  Json payload;
};

struct ConfigProposed {  // answers one PendingEdit
  std::string id;
  bool accepted = false;
  std::int64_t revision = 0;  // of the change, if accepted
  Json hub_value;             // on conflict, the value that stands
  std::string message;
};

struct Action {
  std::string id;
  std::string name;  // "identify", "echo"
  JsonObject parameters;
  std::int64_t expires_at_ms = 0;
  std::int64_t issued_at_ms = 0;
};

// Show what a module writes: the last lines of its log, and if `follow` those to come. Nothing of it is kept.
struct LogFollow {
  std::string id;  // of this reader
  std::string module;
  std::int64_t lines = 100;
  bool follow = false;
};

struct LogStop {
  std::string id;
};

// The facts of a handshake have been taken over: they need not be told again. Those in `errors` (by name)
// could not be, and will not be if they are told again.
struct FactsKept {
  std::vector<KeyError> errors;
};

struct LinkError {  // precedes a close; `retry` false: this client must not come back unchanged
  std::string code;
  std::string message;
  bool retry = true;
  std::int64_t epoch_start = 0;  // with code "stale_session": the start counter to go beyond, else 0
};

// ---- device → hub

struct Handshake {
  // 0: a client written from the documents, without `protocol`. Of such a one only device_id (also as
  // `deviceId`) and capabilities are read, and both may be absent.
  int protocol = protocol_version;
  std::string device_id;
  std::string boot_id;
  SessionEpoch epoch;
  std::string agent_version;
  std::string serial;  // of the board
  JsonObject capabilities;
  JsonObject facts;  // as in a registration; those that the hub has not been told yet
  std::map<std::string, Digest, std::less<>>
      components;                    // declared: name → hash of the schema it validates with
  std::vector<std::string> modules;  // names of those that lie on the device
  Cursor cursor;
  std::vector<SectionState> sections;
  std::vector<PendingEdit> pending;
  std::string nonce;  // as received
  std::string proof;  // base64url Ed25519 signature of handshake_proof_text()
};
// What the device signs: "starling-handshake-v1\n" + nonce + "\n" + device id + "\n" + boot id + "\n" +
// start + "." + connection.
std::string handshake_proof_text(const Handshake& handshake);

enum class Phase { staging, provisional, applied, refused, reverted };
std::string_view to_string(Phase phase);

struct ConfigStatus {
  Section section = Section::settings;
  Digest target;  // the document this is about
  std::int64_t running_revision = 0;
  Digest running;  // the document that is in force
  Phase phase = Phase::applied;
  std::vector<KeyError> errors;
};

struct ConfigPropose {
  std::vector<PendingEdit> edits;
};

// Hashes for anti-entropy and the reported state that changed since the last one (a merge patch).
struct Heartbeat {
  std::vector<SectionState> sections;
  std::int64_t pending = 0;  // unsettled device-side edits
  JsonObject reported;       // e.g. {"modules": {...}, "drift": [...], "uptime_s": 12}
};

// The patch's base is not what the device runs, or the patched hash differs: the hub answers with the full
// section.
struct ConfigRequest {  // "config_request"
  Section section = Section::settings;
};

// Instead of the handshake's list: a module has come or gone.
struct Modules {
  std::vector<std::string> names;
};

struct ActionResult {
  std::string id;
  bool ok = false;
  JsonObject result;
  std::string message;
};

struct LogLine {
  std::int64_t at_ms = 0;
  std::string stream;  // "stdout", "stderr"
  std::string text;
};

// Answers a LogFollow, again and again until one says that it has ended.
struct LogLines {  // "log"
  std::string id;
  std::vector<LogLine> lines;
  bool ended = false;
  std::string message;  // why it ended, if something is wrong
};

struct Unknown {
  std::string type;
};

using FromHub = std::variant<Unknown, Challenge, Welcome, ConfigUpdate, ConfigProposed, Action, FactsKept,
                             LinkError, LogFollow, LogStop>;
using FromDevice = std::variant<Unknown, Handshake, ConfigStatus, ConfigPropose, Heartbeat, ActionResult,
                                ConfigRequest, Modules, LogLines>;

std::string encode(const FromHub& message);  // Unknown has no encoding: a bug
std::string encode(const FromDevice& message);
// The same as encode(), with a payload that is serialised already (the hub does it once for all devices that
// get it). `head.payload` is not looked at.
std::string encode_config_update(const ConfigUpdate& head, std::string_view payload_json);
// What a client without a protocol version is sent: {"type":"config_update","payload":{...}}.
std::string encode_flat_update(std::string_view payload_json);
// Errors: invalid_argument (with pointer), too_large.
Result<FromHub> decode_from_hub(std::string_view text);
Result<FromDevice> decode_from_device(std::string_view text);

}  // namespace starling::protocol
