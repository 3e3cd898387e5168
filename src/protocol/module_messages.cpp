#include "protocol/module_messages.hpp"

#include <array>
#include <limits>
#include <stdexcept>

#include "protocol/message_parts.hpp"

namespace starling::protocol::module {
namespace {

constexpr int longest_prepare_seconds = 10;

ObjectWriter begin(std::string& out, std::string_view type) {
  ObjectWriter writer(out);
  writer.text("type", type);
  return writer;
}

void append_texts(std::string& out, const std::vector<std::string>& texts) {
  append_list(out, texts,
              [](std::string& to, const std::string& text) { append_canonical_string(to, text); });
}

[[noreturn]] void write(std::string&, const Unknown& message) {
  throw std::logic_error("a message of unknown type cannot be encoded: " + message.type);
}

// ---- module → agent

void write(std::string& out, const Hello& message) {
  ObjectWriter writer = begin(out, "hello");
  writer.text("name", message.name).integer("protocol", message.protocol);
  append_texts(writer.begin("components"), message.components);
  append_texts(writer.begin("keys"), message.keys);
  writer.digest("hash", message.hash).integer("prepare_seconds", message.prepare_seconds).end();
}

void write(std::string& out, const Prepared& message) {
  ObjectWriter writer = begin(out, "prepared");
  writer.digest("hash", message.hash).boolean("ok", message.ok);
  if (!message.errors.empty()) append_errors(writer.begin("errors"), message.errors);
  writer.end();
}

void write(std::string& out, const Committed& message) {
  begin(out, "committed").digest("hash", message.hash).end();
}

void write(std::string& out, const State& message) {
  begin(out, "state").text("state", message.state).text("status", message.status).end();
}

void write(std::string& out, const Set& message) {
  begin(out, "set").json("values", message.values).end();
}

void write(std::string& out, const Report& message) {
  begin(out, "report").text("kind", message.kind).json("body", message.body).end();
}

void write(std::string& out, const ActionResult& message) {
  ObjectWriter writer = begin(out, "action_result");
  write_members(writer, message);
  writer.end();
}

// ---- agent → module

void write(std::string& out, const Settings& message) {
  begin(out, "settings").digest("hash", message.hash).json("values", message.values).end();
}

void write(std::string& out, const Prepare& message) {
  ObjectWriter writer = begin(out, "prepare");
  writer.digest("hash", message.hash).json("values", message.values);
  append_texts(writer.begin("changed"), message.changed);
  writer.end();
}

void write(std::string& out, const Commit& message) {
  begin(out, "commit").digest("hash", message.hash).end();
}
void write(std::string& out, const Rollback& message) {
  begin(out, "rollback").digest("hash", message.hash).end();
}

void write(std::string& out, const Action& message) {
  begin(out, "action")
      .text("id", message.id)
      .text("name", message.name)
      .json("parameters", message.parameters)
      .end();
}

void write(std::string& out, const Refused& message) {
  begin(out, "refused").text("message", message.message).boolean("fatal", message.fatal).end();
}

// ---- decoding

Result<FromModule> read_hello(FieldReader& reader) {
  Hello message;
  message.name = reader.text("name", max_id_bytes);
  message.protocol =
      static_cast<int>(reader.optional_integer("protocol", 1, std::numeric_limits<int>::max(), 1));
  message.components = reader.optional_texts("components", max_components, max_key_bytes);
  message.keys = reader.optional_texts("keys", max_keys, max_key_bytes);
  message.hash = reader.optional_digest("hash");
  message.prepare_seconds =
      static_cast<int>(reader.optional_integer("prepare_seconds", 1, longest_prepare_seconds, 2));
  return reader.finish<FromModule>(std::move(message));
}

Result<FromModule> read_prepared(FieldReader& reader) {
  Prepared message;
  message.hash = reader.optional_digest("hash");
  message.ok = reader.boolean("ok");
  message.errors = read_errors(reader, "errors");
  return reader.finish<FromModule>(std::move(message));
}

Result<FromModule> read_committed(FieldReader& reader) {
  Committed message;
  message.hash = reader.optional_digest("hash");
  return reader.finish<FromModule>(message);
}

Result<FromModule> read_state(FieldReader& reader) {
  State message;
  message.state = reader.text("state", max_id_bytes);
  message.status = reader.optional_text("status", max_text_bytes);
  return reader.finish<FromModule>(std::move(message));
}

Result<FromModule> read_set(FieldReader& reader) {
  Set message;
  if (const JsonObject* values = reader.object("values")) message.values = *values;
  if (message.values.size() > max_keys) reader.refuse("values", "has too many members");
  return reader.finish<FromModule>(std::move(message));
}

Result<FromModule> read_report(FieldReader& reader) {
  Report message;
  message.kind = reader.text("kind", max_id_bytes);
  message.body = reader.optional_object("body");
  return reader.finish<FromModule>(std::move(message));
}

Result<FromModule> read_result(FieldReader& reader) {
  ActionResult message = read_action_result(reader);
  return reader.finish<FromModule>(std::move(message));
}

Result<FromAgent> read_settings(FieldReader& reader) {
  Settings message;
  message.hash = reader.optional_digest("hash");
  if (const JsonObject* values = reader.object("values")) message.values = *values;
  return reader.finish<FromAgent>(std::move(message));
}

Result<FromAgent> read_prepare(FieldReader& reader) {
  Prepare message;
  message.hash = reader.optional_digest("hash");
  if (const JsonObject* values = reader.object("values")) message.values = *values;
  message.changed = reader.optional_texts("changed", max_keys * 8, max_key_bytes);
  return reader.finish<FromAgent>(std::move(message));
}

Result<FromAgent> read_commit(FieldReader& reader) {
  Commit message;
  message.hash = reader.optional_digest("hash");
  return reader.finish<FromAgent>(message);
}

Result<FromAgent> read_rollback(FieldReader& reader) {
  Rollback message;
  message.hash = reader.optional_digest("hash");
  return reader.finish<FromAgent>(message);
}

Result<FromAgent> read_action(FieldReader& reader) {
  Action message;
  message.id = reader.text("id", max_id_bytes);
  message.name = reader.text("name", max_id_bytes);
  message.parameters = reader.optional_object("parameters");
  return reader.finish<FromAgent>(std::move(message));
}

Result<FromAgent> read_refused(FieldReader& reader) {
  Refused message;
  message.message = reader.text("message", max_text_bytes);
  message.fatal = reader.optional_boolean("fatal", false);
  return reader.finish<FromAgent>(std::move(message));
}

template <typename Variant>
struct Decoder {
  std::string_view type;
  Result<Variant> (*read)(FieldReader&);
};

constexpr std::array<Decoder<FromModule>, 7> module_decoders{{
    {"hello", read_hello},
    {"prepared", read_prepared},
    {"committed", read_committed},
    {"state", read_state},
    {"set", read_set},
    {"report", read_report},
    {"action_result", read_result},
}};

constexpr std::array<Decoder<FromAgent>, 6> agent_decoders{{
    {"settings", read_settings},
    {"prepare", read_prepare},
    {"commit", read_commit},
    {"rollback", read_rollback},
    {"action", read_action},
    {"refused", read_refused},
}};

template <typename Variant, typename Decoders>
Result<Variant> decode(const Decoders& decoders, std::string_view line) {
  Result<TypedObject> parsed = parse_typed_object(line, max_line_bytes);
  if (!parsed) return fail(parsed);
  for (const auto& decoder : decoders) {
    if (decoder.type != parsed->type) continue;
    FieldReader reader(parsed->value.get_object());
    return decoder.read(reader);
  }
  return Variant(Unknown{std::move(parsed->type)});
}

template <typename Variant>
std::string encode_any(const Variant& message) {
  std::string out;
  std::visit([&](const auto& typed) { write(out, typed); }, message);
  return out;
}

}  // namespace

std::string encode(const FromModule& message) {
  return encode_any(message);
}
std::string encode(const FromAgent& message) {
  return encode_any(message);
}
Result<FromModule> decode_from_module(std::string_view line) {
  return decode<FromModule>(module_decoders, line);
}
Result<FromAgent> decode_from_agent(std::string_view line) {
  return decode<FromAgent>(agent_decoders, line);
}

}  // namespace starling::protocol::module
