#include "protocol/message_parts.hpp"

namespace starling::protocol {

void append_errors(std::string& out, const std::vector<KeyError>& errors) {
  append_list(out, errors, [](std::string& text, const KeyError& error) {
    ObjectWriter(text).text("key", error.key).text("message", error.message).end();
  });
}

std::vector<KeyError> read_errors(FieldReader& reader, std::string_view key) {
  return reader.optional_list<KeyError>(key, max_errors, [](FieldReader& fields) {
    KeyError error;
    error.key = fields.text("key", max_key_bytes);
    error.message = fields.text("message", max_text_bytes);
    return error;
  });
}

void write_members(ObjectWriter& writer, const ActionResult& result) {
  writer.text("id", result.id).boolean("ok", result.ok).json("result", result.result);
  if (!result.message.empty()) writer.text("message", result.message);
}

ActionResult read_action_result(FieldReader& reader) {
  ActionResult result;
  result.id = reader.text("id", max_id_bytes);
  result.ok = reader.boolean("ok");
  result.result = reader.optional_object("result");
  result.message = reader.optional_text("message", max_text_bytes);
  return result;
}

Result<TypedObject> parse_typed_object(std::string_view text, std::size_t max_bytes) {
  JsonLimits limits;
  limits.max_bytes = max_bytes;
  Result<Json> value = parse_json(text, limits);
  if (!value) return fail(value);
  if (!value->is_object()) return fail(ErrorCode::invalid_argument, "a message must be a JSON object");
  FieldReader reader(value->get_object());
  Result<std::string> type = reader.finish<std::string>(reader.text("type", max_id_bytes));
  if (!type) return fail(type);
  return TypedObject{std::move(*value), std::move(*type)};
}

}  // namespace starling::protocol
