#include "cli/answer.hpp"

#include "cli/printable.hpp"

namespace starling::cli {

const Json* find(const JsonObject& object, Path path) {
  const JsonObject* current = &object;
  const Json* value = nullptr;
  for (const std::string_view step : path) {
    if (current == nullptr) return nullptr;
    value = current->if_contains(step);
    if (value == nullptr || value->is_null()) return nullptr;
    current = value->if_object();
  }
  return value;
}

std::string text_at(const JsonObject& object, Path path) {
  const Json* value = find(object, path);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(std::string_view(value->get_string()));
}

std::int64_t number_at(const JsonObject& object, Path path) {
  const Json* value = find(object, path);
  if (value == nullptr || !value->is_number()) return 0;
  boost::system::error_code ignored;
  const auto number = value->to_number<std::int64_t>(ignored);
  return ignored ? 0 : number;
}

bool flag_at(const JsonObject& object, Path path) {
  const Json* value = find(object, path);
  return value != nullptr && value->is_bool() && value->get_bool();
}

const JsonObject& object_at(const JsonObject& object, Path path) {
  const Json* value = find(object, path);
  static const JsonObject none;
  return value == nullptr || !value->is_object() ? none : value->get_object();
}

const JsonArray& array_at(const JsonObject& object, Path path) {
  const Json* value = find(object, path);
  static const JsonArray none;
  return value == nullptr || !value->is_array() ? none : value->get_array();
}

const JsonObject& as_object(const Json& value) {
  static const JsonObject none;
  return value.is_object() ? value.get_object() : none;
}

std::string joined(const JsonArray& array, std::string_view separator) {
  std::string out;
  for (const Json& value : array) {
    if (!out.empty()) out += separator;
    out += value.is_string() ? std::string(std::string_view(value.get_string())) : show_value(value);
  }
  return out;
}

std::string joined_pairs(const JsonObject& object, std::string_view separator) {
  std::string out;
  for (const auto& [key, value] : object) {
    if (!out.empty()) out += separator;
    out += std::string(std::string_view(key));
    const std::string text =
        value.is_string() ? std::string(std::string_view(value.get_string())) : show_value(value);
    if (!text.empty()) out += "=" + text;
  }
  return out;
}

}  // namespace starling::cli
