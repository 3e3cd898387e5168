#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "protocol/excerpt.hpp"
#include "protocol/message_parts.hpp"
#include "protocol/messages.hpp"
#include "protocol/modules_document.hpp"

namespace starling::protocol {
namespace {

constexpr std::array<std::pair<Phase, std::string_view>, 5> phases{{{Phase::staging, "staging"},
                                                                    {Phase::provisional, "provisional"},
                                                                    {Phase::applied, "applied"},
                                                                    {Phase::refused, "refused"},
                                                                    {Phase::reverted, "reverted"}}};

Section read_section(FieldReader& reader) {
  const std::string name = reader.text("section", max_id_bytes);
  const Result<Section> section = parse_section(name);
  if (section) return *section;
  reader.refuse("section", "must be settings, modules or software");
  return Section::settings;
}

Phase read_phase(FieldReader& reader) {
  const std::string name = reader.text("phase", max_id_bytes);
  for (const auto& [phase, text] : phases) {
    if (text == name) return phase;
  }
  reader.refuse("phase", "must be staging, provisional, applied, refused or reverted");
  return Phase::applied;
}

// Sections that this end does not know are passed over: they are a newer end's.
std::vector<SectionState> read_sections(FieldReader& reader) {
  std::vector<SectionState> sections;
  reader.optional_within("sections", [&](FieldReader& all) {
    for (const Section section : {Section::settings, Section::modules, Section::software}) {
      all.optional_within(to_string(section), [&](FieldReader& fields) {
        sections.push_back({section, fields.optional_digest("applied"), fields.optional_digest("refused")});
      });
    }
  });
  return sections;
}

std::vector<PendingEdit> read_edits(FieldReader& reader, std::string_view key) {
  return reader.optional_list<PendingEdit>(key, max_edits, [](FieldReader& fields) {
    PendingEdit edit;
    edit.id = fields.text("id", max_id_bytes);
    edit.key = fields.text("key", max_key_bytes);
    edit.from = fields.optional_any("from");
    edit.to = fields.optional_any("to");
    edit.at_ms = fields.optional_integer("at_ms", 0, max_integer, 0);
    return edit;
  });
}

// Sorted, without repeats.
std::vector<std::string> read_module_names(FieldReader& reader, std::string_view key) {
  std::vector<std::string> names = reader.optional_texts(key, max_modules, max_key_bytes);
  if (!std::ranges::all_of(names, valid_module_name)) reader.refuse(key, "must be names of modules");
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

// ---- hub → device

Result<FromHub> read_challenge(FieldReader& reader) {
  Challenge message;
  message.nonce = reader.text("nonce", max_id_bytes);
  return reader.finish<FromHub>(std::move(message));
}

Result<FromHub> read_welcome(FieldReader& reader) {
  constexpr std::int64_t day_seconds = 86'400;
  Welcome message;
  message.hub_time_ms = reader.integer("hub_time_ms", 0, max_integer);
  message.heartbeat_seconds = reader.optional_integer("heartbeat_seconds", 1, day_seconds, 300);
  message.hub_generation = reader.text("hub_generation", max_id_bytes);
  message.revision = reader.integer("revision", 0, max_integer);
  message.token = reader.optional_text("token", max_text_bytes);
  message.fleet = reader.optional_text("fleet", max_text_bytes);
  message.quarantine = reader.optional_boolean("quarantine", false);
  return reader.finish<FromHub>(std::move(message));
}

Result<FromHub> read_config_update(FieldReader& reader) {
  ConfigUpdate message;
  message.section = read_section(reader);
  message.revision = reader.integer("revision", 0, max_integer);
  message.hub_generation = reader.text("hub_generation", max_id_bytes);
  message.base = reader.optional_digest("base");
  message.hash = reader.optional_digest("hash");
  if (!message.hash) reader.refuse("hash", "is missing");
  if (const JsonObject* payload = reader.object("payload")) message.payload = *payload;
  return reader.finish<FromHub>(std::move(message));
}

Result<FromHub> read_config_proposed(FieldReader& reader) {
  ConfigProposed message;
  message.id = reader.text("id", max_id_bytes);
  message.accepted = reader.boolean("accepted");
  message.revision = reader.optional_integer("revision", 0, max_integer, 0);
  message.hub_value = reader.optional_any("hub_value");
  message.message = reader.optional_text("message", max_text_bytes);
  return reader.finish<FromHub>(std::move(message));
}

Result<FromHub> read_action(FieldReader& reader) {
  Action message;
  message.id = reader.text("id", max_id_bytes);
  message.name = reader.text("name", max_id_bytes);
  message.parameters = reader.optional_object("parameters");
  message.expires_at_ms = reader.integer("expires_at_ms", 0, max_integer);
  message.issued_at_ms = reader.optional_integer("issued_at_ms", 0, max_integer, 0);
  return reader.finish<FromHub>(std::move(message));
}

Result<FromHub> read_facts_kept(FieldReader& reader) {
  FactsKept message;
  message.errors = read_errors(reader, "errors");
  return reader.finish<FromHub>(std::move(message));
}

Result<FromHub> read_log_follow(FieldReader& reader) {
  LogFollow message;
  message.id = reader.text("id", max_id_bytes);
  message.module = reader.text("module", max_id_bytes);
  message.lines = reader.optional_integer("lines", 0, max_log_lines, 100);
  message.follow = reader.optional_boolean("follow", false);
  return reader.finish<FromHub>(std::move(message));
}

Result<FromHub> read_log_stop(FieldReader& reader) {
  return reader.finish<FromHub>(LogStop{reader.text("id", max_id_bytes)});
}

Result<FromHub> read_error(FieldReader& reader) {
  LinkError message;
  message.code = reader.text("code", max_id_bytes);
  message.message = reader.optional_text("message", max_text_bytes);
  message.retry = reader.optional_boolean("retry", true);
  message.epoch_start = reader.optional_integer("epoch_start", 0, max_integer, 0);
  return reader.finish<FromHub>(std::move(message));
}

// ---- device → hub

// A client that was written from the documents: {"type":"handshake","deviceId":...,"capabilities":{...}}.
Result<FromDevice> read_flat_handshake(FieldReader& reader) {
  Handshake message;
  message.protocol = 0;
  message.device_id = reader.optional_text("device_id", max_id_bytes);
  if (message.device_id.empty()) message.device_id = reader.optional_text("deviceId", max_id_bytes);
  message.capabilities = reader.optional_object("capabilities");
  return reader.finish<FromDevice>(std::move(message));
}

Result<FromDevice> read_handshake(FieldReader& reader) {
  const std::int64_t protocol = reader.optional_integer("protocol", 1, std::numeric_limits<int>::max(), 0);
  if (protocol == 0) return read_flat_handshake(reader);
  Handshake message;
  message.protocol = static_cast<int>(protocol);
  message.device_id = reader.text("device_id", max_id_bytes);
  message.boot_id = reader.text("boot_id", max_id_bytes);
  reader.object("epoch");
  reader.optional_within("epoch", [&](FieldReader& epoch) {
    message.epoch.start = epoch.integer("start", 0, max_integer);
    message.epoch.connection = epoch.integer("connection", 0, max_integer);
  });
  message.agent_version = reader.optional_text("agent_version", max_id_bytes);
  message.serial = reader.optional_text("serial", max_id_bytes);
  message.capabilities = reader.optional_object("capabilities");
  message.facts = reader.optional_object("facts");
  reader.optional_within("components", [&](FieldReader& components) {
    if (components.all().size() > max_components) reader.refuse("components", "has too many members");
    for (const auto& member : components.all()) {
      if (member.key().size() > max_key_bytes) components.refuse(member.key(), "has too long a name");
      message.components.emplace(member.key(), components.optional_digest(member.key()));
    }
  });
  message.modules = read_module_names(reader, "modules");
  reader.optional_within("cursor", [&](FieldReader& cursor) {
    message.cursor.hub_generation = cursor.optional_text("hub_generation", max_id_bytes);
    message.cursor.revision = cursor.optional_integer("revision", 0, max_integer, 0);
  });
  message.sections = read_sections(reader);
  message.pending = read_edits(reader, "pending");
  message.nonce = reader.text("nonce", max_id_bytes);
  message.proof = reader.text("proof", max_id_bytes);
  return reader.finish<FromDevice>(std::move(message));
}

Result<FromDevice> read_config_status(FieldReader& reader) {
  ConfigStatus message;
  message.section = read_section(reader);
  message.target = reader.optional_digest("target");
  message.phase = read_phase(reader);
  message.running_revision = reader.optional_integer("running_revision", 0, max_integer, 0);
  message.running = reader.optional_digest("running");
  message.errors = read_errors(reader, "errors");
  return reader.finish<FromDevice>(std::move(message));
}

Result<FromDevice> read_config_propose(FieldReader& reader) {
  ConfigPropose message;
  message.edits = read_edits(reader, "edits");
  return reader.finish<FromDevice>(std::move(message));
}

Result<FromDevice> read_heartbeat(FieldReader& reader) {
  Heartbeat message;
  message.sections = read_sections(reader);
  message.pending = reader.optional_integer("pending", 0, max_integer, 0);
  message.reported = reader.optional_object("reported");
  return reader.finish<FromDevice>(std::move(message));
}

Result<FromDevice> read_result(FieldReader& reader) {
  ActionResult message = read_action_result(reader);
  return reader.finish<FromDevice>(std::move(message));
}

Result<FromDevice> read_config_request(FieldReader& reader) {
  ConfigRequest message;
  message.section = read_section(reader);
  return reader.finish<FromDevice>(message);
}

Result<FromDevice> read_log(FieldReader& reader) {
  LogLines message;
  message.id = reader.text("id", max_id_bytes);
  message.lines = reader.optional_list<LogLine>(
      "lines", static_cast<std::size_t>(max_log_lines), [](FieldReader& fields) {
        LogLine line;
        line.at_ms = fields.optional_integer("at_ms", 0, max_integer, 0);
        line.stream = fields.optional_text("stream", max_id_bytes);
        line.text = fields.optional_text("text", max_log_line_bytes);
        return line;
      });
  message.ended = reader.optional_boolean("ended", false);
  message.message = reader.optional_text("message", max_text_bytes);
  return reader.finish<FromDevice>(std::move(message));
}

Result<FromDevice> read_modules(FieldReader& reader) {
  Modules message;
  reader.any("names");
  message.names = read_module_names(reader, "names");
  return reader.finish<FromDevice>(std::move(message));
}

template <typename Variant>
struct Decoder {
  std::string_view type;
  Result<Variant> (*read)(FieldReader&);
};

constexpr std::array<Decoder<FromHub>, 9> hub_decoders{{
    {"config_update", read_config_update},
    {"action", read_action},
    {"config_proposed", read_config_proposed},
    {"welcome", read_welcome},
    {"challenge", read_challenge},
    {"facts_kept", read_facts_kept},
    {"error", read_error},
    {"log_follow", read_log_follow},
    {"log_stop", read_log_stop},
}};

constexpr std::array<Decoder<FromDevice>, 8> device_decoders{{
    {"config_status", read_config_status},
    {"heartbeat", read_heartbeat},
    {"handshake", read_handshake},
    {"config_propose", read_config_propose},
    {"action_result", read_result},
    {"config_request", read_config_request},
    {"modules", read_modules},
    {"log", read_log},
}};

template <typename Variant, typename Decoders>
Result<Variant> decode(const Decoders& decoders, std::string_view text, std::size_t max_bytes) {
  Result<TypedObject> parsed = parse_typed_object(text, max_bytes);
  if (!parsed) return fail(parsed);
  for (const auto& decoder : decoders) {
    if (decoder.type != parsed->type) continue;
    FieldReader reader(parsed->value.get_object());
    return decoder.read(reader);
  }
  return Variant(Unknown{std::move(parsed->type)});
}

}  // namespace

std::string_view to_string(Phase phase) {
  for (const auto& [value, text] : phases) {
    if (value == phase) return text;
  }
  return "applied";
}

Result<FromHub> decode_from_hub(std::string_view text) {
  return decode<FromHub>(hub_decoders, text, max_hub_message_bytes);
}
Result<FromDevice> decode_from_device(std::string_view text) {
  return decode<FromDevice>(device_decoders, text, max_device_message_bytes);
}

}  // namespace starling::protocol
