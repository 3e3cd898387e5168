#include "hub/store/sqlite/edits_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serializer.hpp>
#include <boost/json/string_view.hpp>

#include <array>

namespace starling::hub::sqlite {
namespace {

constexpr std::size_t max_depth = 256;  // far above what the API takes in

std::unexpected<Error> unreadable() {
  return fail(ErrorCode::corrupted, "the edits of a stored change cannot be read");
}

Result<Edit> decode_edit(Json& value) {
  JsonObject* object = value.if_object();
  if (object == nullptr) return unreadable();
  const Json* kind = object->if_contains("kind");
  const Json* id = object->if_contains("id");
  if (kind == nullptr || !kind->is_string() || id == nullptr || !id->is_string()) return unreadable();
  const auto parsed = parse_entity_kind(kind->get_string());
  if (!parsed) return unreadable();

  Edit edit;
  edit.kind = *parsed;
  edit.id = id->get_string();
  if (Json* before = object->if_contains("before")) edit.before = std::move(*before);
  if (Json* after = object->if_contains("after")) edit.after = std::move(*after);
  return edit;
}

}  // namespace

template <typename Value>
void EditsEncoder::append_json(const Value& value) {
  std::array<char, 4096> part;
  boost::json::serializer serializer;
  serializer.reset(value);
  while (!serializer.done())
    text_.append(std::string_view(serializer.read(part.data(), part.size())));
}

void EditsEncoder::encode(const std::vector<Edit>& edits) {
  text_.assign("[");
  after_.clear();
  for (const Edit& edit : edits) {
    if (!after_.empty()) text_ += ',';
    text_ += R"({"kind":")";
    text_ += to_string(edit.kind);
    text_ += R"(","id":)";
    append_json(boost::json::string_view(edit.id));
    if (!edit.before.is_null()) {
      text_ += R"(,"before":)";
      append_json(&edit.before);
    }
    Part part;
    if (!edit.after.is_null()) {
      text_ += R"(,"after":)";
      part.begin = text_.size();
      append_json(&edit.after);
      part.size = text_.size() - part.begin;
    }
    after_.push_back(part);
    text_ += '}';
  }
  text_ += ']';
}

Result<std::vector<Edit>> decode_edits(std::string_view text) {
  auto parsed = decode_body(text);
  if (!parsed) return fail(parsed);
  JsonArray* array = parsed->if_array();
  if (array == nullptr) return unreadable();
  std::vector<Edit> edits;
  edits.reserve(array->size());
  for (Json& value : *array) {
    auto edit = decode_edit(value);
    if (!edit) return fail(edit);
    edits.push_back(std::move(*edit));
  }
  return edits;
}

Result<Json> decode_body(std::string_view text) {
  boost::json::error_code error;
  boost::json::parse_options options;
  options.max_depth = max_depth;
  Json value = boost::json::parse(text, error, {}, options);
  if (error) return fail(ErrorCode::corrupted, "stored JSON cannot be read: " + error.message());
  return value;
}

}  // namespace starling::hub::sqlite
