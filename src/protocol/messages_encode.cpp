#include <fmt/format.h>

#include <stdexcept>

#include "protocol/message_parts.hpp"
#include "protocol/messages.hpp"

namespace starling::protocol {
namespace {

ObjectWriter begin(std::string& out, std::string_view type) {
  ObjectWriter writer(out);
  writer.text("type", type);
  return writer;
}

[[noreturn]] void write(std::string&, const Unknown& message) {
  throw std::logic_error("a message of unknown type cannot be encoded: " + message.type);
}

// ---- hub → device

void write(std::string& out, const Challenge& message) {
  begin(out, "challenge").text("nonce", message.nonce).end();
}

void write(std::string& out, const Welcome& message) {
  ObjectWriter writer = begin(out, "welcome");
  writer.integer("hub_time_ms", message.hub_time_ms)
      .integer("heartbeat_seconds", message.heartbeat_seconds)
      .text("hub_generation", message.hub_generation)
      .integer("revision", message.revision);
  if (!message.token.empty()) writer.text("token", message.token);
  if (!message.fleet.empty()) writer.text("fleet", message.fleet);
  if (message.quarantine) writer.boolean("quarantine", true);
  writer.end();
}

// All of the message but the payload and the brace that ends it.
ObjectWriter write_head(std::string& out, const ConfigUpdate& message) {
  ObjectWriter writer = begin(out, "config_update");
  writer.text("section", to_string(message.section))
      .integer("revision", message.revision)
      .text("hub_generation", message.hub_generation)
      .digest("base", message.base)
      .digest("hash", message.hash);
  return writer;
}

void write(std::string& out, const ConfigUpdate& message) {
  write_head(out, message).json("payload", message.payload).end();
}

void write(std::string& out, const ConfigProposed& message) {
  ObjectWriter writer = begin(out, "config_proposed");
  writer.text("id", message.id).boolean("accepted", message.accepted);
  if (message.accepted) {
    writer.integer("revision", message.revision);
  } else {
    writer.json("hub_value", message.hub_value);
  }
  if (!message.message.empty()) writer.text("message", message.message);
  writer.end();
}

void write(std::string& out, const Action& message) {
  begin(out, "action")
      .text("id", message.id)
      .text("name", message.name)
      .json("parameters", message.parameters)
      .integer("expires_at_ms", message.expires_at_ms)
      .integer("issued_at_ms", message.issued_at_ms)
      .end();
}

void write(std::string& out, const FactsKept& message) {
  ObjectWriter writer = begin(out, "facts_kept");
  if (!message.errors.empty()) append_errors(writer.begin("errors"), message.errors);
  writer.end();
}

void write(std::string& out, const LinkError& message) {
  ObjectWriter writer = begin(out, "error");
  writer.text("code", message.code).text("message", message.message).boolean("retry", message.retry);
  if (message.epoch_start != 0) writer.integer("epoch_start", message.epoch_start);
  writer.end();
}

void write(std::string& out, const LogFollow& message) {
  begin(out, "log_follow")
      .text("id", message.id)
      .text("module", message.module)
      .integer("lines", message.lines)
      .boolean("follow", message.follow)
      .end();
}

void write(std::string& out, const LogStop& message) {
  begin(out, "log_stop").text("id", message.id).end();
}

// ---- device → hub

void append_edits(std::string& out, const std::vector<PendingEdit>& edits) {
  append_list(out, edits, [](std::string& text, const PendingEdit& edit) {
    ObjectWriter(text)
        .text("id", edit.id)
        .text("key", edit.key)
        .json("from", edit.from)
        .json("to", edit.to)
        .integer("at_ms", edit.at_ms)
        .end();
  });
}

void append_sections(std::string& out, const std::vector<SectionState>& sections) {
  ObjectWriter writer(out);
  for (const SectionState& state : sections) {
    ObjectWriter inner(writer.begin(to_string(state.section)));
    inner.digest("applied", state.applied);
    if (state.refused) inner.digest("refused", state.refused);
    inner.end();
  }
  writer.end();
}

void append_components(std::string& out, const std::map<std::string, Digest, std::less<>>& components) {
  out += '{';
  for (const auto& [name, hash] : components) {
    if (out.back() != '{') out += ',';
    append_canonical_string(out, name);
    out += ":\"";
    out += hash.hex();
    out += '"';
  }
  out += '}';
}

void append_names(std::string& out, const std::vector<std::string>& names) {
  append_list(out, names,
              [](std::string& text, const std::string& name) { append_canonical_string(text, name); });
}

void write(std::string& out, const Handshake& message) {
  ObjectWriter writer = begin(out, "handshake");
  if (message.protocol == 0) {
    writer.text("device_id", message.device_id).json("capabilities", message.capabilities).end();
    return;
  }
  writer.integer("protocol", message.protocol)
      .text("device_id", message.device_id)
      .text("boot_id", message.boot_id);
  ObjectWriter(writer.begin("epoch"))
      .integer("start", message.epoch.start)
      .integer("connection", message.epoch.connection)
      .end();
  writer.text("agent_version", message.agent_version)
      .text("serial", message.serial)
      .json("capabilities", message.capabilities);
  if (!message.facts.empty()) writer.json("facts", message.facts);
  append_components(writer.begin("components"), message.components);
  if (!message.modules.empty()) append_names(writer.begin("modules"), message.modules);
  ObjectWriter(writer.begin("cursor"))
      .text("hub_generation", message.cursor.hub_generation)
      .integer("revision", message.cursor.revision)
      .end();
  append_sections(writer.begin("sections"), message.sections);
  append_edits(writer.begin("pending"), message.pending);
  writer.text("nonce", message.nonce).text("proof", message.proof).end();
}

void write(std::string& out, const ConfigStatus& message) {
  ObjectWriter writer = begin(out, "config_status");
  writer.text("section", to_string(message.section))
      .digest("target", message.target)
      .text("phase", to_string(message.phase))
      .integer("running_revision", message.running_revision)
      .digest("running", message.running);
  if (!message.errors.empty()) append_errors(writer.begin("errors"), message.errors);
  writer.end();
}

void write(std::string& out, const ConfigPropose& message) {
  ObjectWriter writer = begin(out, "config_propose");
  append_edits(writer.begin("edits"), message.edits);
  writer.end();
}

void write(std::string& out, const Heartbeat& message) {
  ObjectWriter writer = begin(out, "heartbeat");
  append_sections(writer.begin("sections"), message.sections);
  writer.integer("pending", message.pending).json("reported", message.reported).end();
}

void write(std::string& out, const ActionResult& message) {
  ObjectWriter writer = begin(out, "action_result");
  write_members(writer, message);
  writer.end();
}

void write(std::string& out, const ConfigRequest& message) {
  begin(out, "config_request").text("section", to_string(message.section)).end();
}

void write(std::string& out, const LogLines& message) {
  ObjectWriter writer = begin(out, "log");
  writer.text("id", message.id);
  append_list(writer.begin("lines"), message.lines, [](std::string& text, const LogLine& line) {
    ObjectWriter(text).integer("at_ms", line.at_ms).text("stream", line.stream).text("text", line.text).end();
  });
  writer.boolean("ended", message.ended);
  if (!message.message.empty()) writer.text("message", message.message);
  writer.end();
}

void write(std::string& out, const Modules& message) {
  ObjectWriter writer = begin(out, "modules");
  append_names(writer.begin("names"), message.names);
  writer.end();
}

template <typename Variant>
std::string encode_any(const Variant& message) {
  std::string out;
  out.reserve(512);
  std::visit([&](const auto& typed) { write(out, typed); }, message);
  return out;
}

}  // namespace

std::string encode(const FromHub& message) {
  return encode_any(message);
}
std::string encode(const FromDevice& message) {
  return encode_any(message);
}

std::string encode_config_update(const ConfigUpdate& head, std::string_view payload_json) {
  std::string out;
  out.reserve(payload_json.size() + 384);
  write_head(out, head).raw("payload", payload_json).end();
  return out;
}

std::string encode_flat_update(std::string_view payload_json) {
  std::string out;
  begin(out, "config_update").raw("payload", payload_json).end();
  return out;
}

std::string handshake_proof_text(const Handshake& handshake) {
  return fmt::format("starling-handshake-v1\n{}\n{}\n{}\n{}.{}", handshake.nonce, handshake.device_id,
                     handshake.boot_id, handshake.epoch.start, handshake.epoch.connection);
}

}  // namespace starling::protocol
