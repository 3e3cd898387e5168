#include "protocol/setting_schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "protocol/canonical_json.hpp"
#include "protocol/excerpt.hpp"

namespace starling::protocol {
namespace {

constexpr double largest_exact_number = 9007199254740992.0;  // 2^53
constexpr std::size_t max_string_bytes = 4096;
constexpr std::size_t max_levels = 16;
constexpr std::size_t max_schema_values = 10'000;

// ---- normalise

class Normaliser {
 public:
  Result<Json> run(const Json& value, const std::string& pointer, std::size_t level) {
    if (++values_ > max_schema_values)
      return wrong(pointer, fmt::format("has more than {} values", max_schema_values));
    if (level > max_levels) return wrong(pointer, fmt::format("is nested more than {} deep", max_levels));
    switch (value.kind()) {
      case boost::json::kind::null: return wrong(pointer, "must not be null");
      case boost::json::kind::bool_: return value;
      case boost::json::kind::int64: return number(static_cast<double>(value.get_int64()), value, pointer);
      case boost::json::kind::uint64: return number(static_cast<double>(value.get_uint64()), value, pointer);
      case boost::json::kind::double_: return number(value.get_double(), value, pointer);
      case boost::json::kind::string: return string(value, pointer);
      case boost::json::kind::array: return array(value.get_array(), pointer, level);
      case boost::json::kind::object: return object(value.get_object(), pointer, level);
    }
    return value;
  }

 private:
  static std::unexpected<Error> wrong(const std::string& pointer, std::string message) {
    return fail(ErrorCode::invalid_argument, std::move(message), pointer);
  }

  static Result<Json> number(double number, const Json& value, const std::string& pointer) {
    if (!std::isfinite(number)) return wrong(pointer, "must be a finite number");
    if (std::abs(number) > largest_exact_number) {
      return wrong(pointer, fmt::format("must be between -2^53 and 2^53 (got {})", canonical_json(value)));
    }
    if (value.is_double() && number != std::trunc(number)) return value;
    return Json(static_cast<std::int64_t>(number));
  }

  static Result<Json> string(const Json& value, const std::string& pointer) {
    const JsonString& text = value.get_string();
    if (text.size() > max_string_bytes) {
      return wrong(pointer, fmt::format("is longer than {} bytes (got {})", max_string_bytes, text.size()));
    }
    if (text.find('\0') != JsonString::npos) return wrong(pointer, "must not contain U+0000");
    return value;
  }

  Result<Json> array(const JsonArray& source, const std::string& pointer, std::size_t level) {
    JsonArray result;
    result.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
      Result<Json> element = run(source[i], fmt::format("{}/{}", pointer, i), level + 1);
      if (!element) return element;
      result.push_back(std::move(*element));
    }
    return Json(std::move(result));
  }

  Result<Json> object(const JsonObject& source, const std::string& pointer, std::size_t level) {
    JsonObject result;
    result.reserve(source.size());
    for (const auto& member : source) {
      const std::string at = pointer + "/" + pointer_token(member.key());
      const Result<Json> key = string(Json(member.key()), at);
      if (!key) return fail(key);
      Result<Json> element = run(member.value(), at, level + 1);
      if (!element) return element;
      result.emplace(member.key(), std::move(*element));
    }
    return Json(std::move(result));
  }

  std::size_t values_ = 0;
};

// ---- the closed list of keywords

enum class Operand {
  any,
  text,
  count,
  number,
  boolean,
  words,
  pattern,
  types,
  values,
  schema,
  schemas,
  schema_map
};

struct Keyword {
  std::string_view name;
  Operand operand;
};

// References and formats are left out: a property is compiled by itself, and a format is a hint that
// validators do not agree on.
constexpr std::array<Keyword, 39> keywords{{
    {"title", Operand::text},
    {"description", Operand::text},
    {"default", Operand::any},
    {"examples", Operand::values},
    {"$comment", Operand::text},
    {"readOnly", Operand::boolean},
    {"x-alias", Operand::text},
    {"x-unit", Operand::text},
    {"x-owner", Operand::text},
    {"x-file", Operand::boolean},
    {"type", Operand::types},
    {"enum", Operand::values},
    {"const", Operand::any},
    {"minimum", Operand::number},
    {"maximum", Operand::number},
    {"exclusiveMinimum", Operand::number},
    {"exclusiveMaximum", Operand::number},
    {"multipleOf", Operand::number},
    {"minLength", Operand::count},
    {"maxLength", Operand::count},
    {"pattern", Operand::pattern},
    {"minItems", Operand::count},
    {"maxItems", Operand::count},
    {"uniqueItems", Operand::boolean},
    {"items", Operand::schema},
    {"contains", Operand::schema},
    {"minProperties", Operand::count},
    {"maxProperties", Operand::count},
    {"required", Operand::words},
    {"properties", Operand::schema_map},
    {"additionalProperties", Operand::schema},
    {"propertyNames", Operand::schema},
    {"allOf", Operand::schemas},
    {"anyOf", Operand::schemas},
    {"oneOf", Operand::schemas},
    {"not", Operand::schema},
    {"if", Operand::schema},
    {"then", Operand::schema},
    {"else", Operand::schema},
}};

constexpr std::array<std::string_view, 6> type_names{"array",  "boolean", "integer",
                                                     "number", "object",  "string"};

bool is_type_name(const Json& value) {
  return value.is_string() && std::find(type_names.begin(), type_names.end(),
                                        std::string_view(value.get_string())) != type_names.end();
}

bool are_words(const Json& value) {
  return value.is_array() && std::all_of(value.get_array().begin(), value.get_array().end(),
                                         [](const Json& word) { return word.is_string(); });
}

Result<void> check_schema(const Json& schema, const std::string& pointer, bool pattern_allowed);

Result<void> check_sub_schemas(const Keyword& keyword, const Json& operand, const std::string& pointer,
                               bool pattern_allowed) {
  const bool reached =
      keyword.name == "items" || keyword.name == "properties" || keyword.name == "additionalProperties";
  const bool allowed = pattern_allowed && reached;
  if (keyword.operand == Operand::schema) return check_schema(operand, pointer, allowed);
  if (keyword.operand == Operand::schemas && operand.is_array() && !operand.get_array().empty()) {
    for (std::size_t i = 0; i < operand.get_array().size(); ++i) {
      Result<void> checked = check_schema(operand.get_array()[i], fmt::format("{}/{}", pointer, i), allowed);
      if (!checked) return checked;
    }
    return {};
  }
  if (keyword.operand == Operand::schema_map && operand.is_object()) {
    for (const auto& member : operand.get_object()) {
      Result<void> checked =
          check_schema(member.value(), pointer + "/" + pointer_token(member.key()), allowed);
      if (!checked) return checked;
    }
    return {};
  }
  return fail(ErrorCode::invalid_argument, fmt::format("{} must hold schemas", keyword.name), pointer);
}

Result<void> check_pattern_at(const Json& pattern, const std::string& pointer, bool allowed) {
  if (!allowed) {
    return fail(ErrorCode::invalid_argument,
                "pattern may stand only at the top and inside items, properties and additionalProperties",
                pointer);
  }
  if (!pattern.is_string()) return fail(ErrorCode::invalid_argument, "pattern must be a string", pointer);
  const auto compiled = check_pattern(pattern.get_string());
  if (!compiled) return fail(ErrorCode::invalid_argument, compiled.error().message, pointer);
  return {};
}

// What the operand must be, or an empty text if it is.
std::string_view wrong_operand(Operand operand, const Json& value) {
  switch (operand) {
    case Operand::text: return value.is_string() ? "" : "a string";
    case Operand::boolean: return value.is_bool() ? "" : "true or false";
    case Operand::number: return value.is_number() ? "" : "a number";
    case Operand::count: return value.is_int64() && value.get_int64() >= 0 ? "" : "a whole number, 0 or more";
    case Operand::words: return are_words(value) ? "" : "a list of strings";
    case Operand::values: return value.is_array() && !value.get_array().empty() ? "" : "a list with members";
    case Operand::types: {
      const bool list = value.is_array() && !value.get_array().empty() &&
                        std::all_of(value.get_array().begin(), value.get_array().end(), is_type_name);
      return list || is_type_name(value)
                 ? ""
                 : "one of array, boolean, integer, number, object, string, or a list of these";
    }
    case Operand::any:
    case Operand::pattern:
    case Operand::schema:
    case Operand::schemas:
    case Operand::schema_map: return "";
  }
  return "";
}

Result<void> check_schema(const Json& schema, const std::string& pointer, bool pattern_allowed) {
  if (schema.is_bool()) return {};
  if (!schema.is_object()) return fail(ErrorCode::invalid_argument, "a schema must be an object", pointer);
  for (const auto& member : schema.get_object()) {
    const std::string at = pointer + "/" + pointer_token(member.key());
    const auto keyword = std::find_if(keywords.begin(), keywords.end(), [&](const Keyword& k) {
      return k.name == std::string_view(member.key());
    });
    if (keyword == keywords.end()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("the schema keyword '{}' is not supported", excerpt(member.key())), at);
    }
    const std::string_view wanted = wrong_operand(keyword->operand, member.value());
    if (!wanted.empty()) {
      return fail(ErrorCode::invalid_argument, fmt::format("{} must be {}", keyword->name, wanted), at);
    }
    Result<void> checked;
    if (keyword->operand == Operand::pattern) checked = check_pattern_at(member.value(), at, pattern_allowed);
    if (keyword->operand >= Operand::schema) {
      checked = check_sub_schemas(*keyword, member.value(), at, pattern_allowed);
    }
    if (!checked) return checked;
  }
  return {};
}

// ---- the sentence

bool has_type(const Json& value, std::string_view type) {
  if (type == "integer") return value.is_int64();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "array") return value.is_array();
  return type == "object" && value.is_object();
}

std::string_view with_article(std::string_view type) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> phrases{
      {{"array", "a list"},
       {"boolean", "true or false"},
       {"integer", "a whole number"},
       {"number", "a number"},
       {"object", "an object"},
       {"string", "a string"}}};
  for (const auto& [name, phrase] : phrases) {
    if (name == type) return phrase;
  }
  return type;
}

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string shown(const Json& value) {
  return excerpt(canonical_json(value), 60);
}

class Explainer {
 public:
  Explainer(const SettingPatterns& patterns, const JsonObject& schema, const Json& value,
            const std::string& pointer)
      : patterns_(patterns), schema_(schema), value_(value), pointer_(pointer) {}

  std::optional<Violation> run() const {
    if (auto found = type()) return found;
    if (auto found = choice()) return found;
    if (value_.is_number()) return number();
    if (value_.is_string()) return string();
    if (value_.is_array()) return array();
    if (value_.is_object()) return object();
    return {};
  }

 private:
  Violation must(std::string_view what) const {
    return {pointer_, fmt::format("must {} (got {})", what, shown(value_))};
  }

  std::optional<Violation> type() const {
    const Json* type = schema_.if_contains("type");
    if (type == nullptr) return {};
    const JsonArray list = type->is_array() ? type->get_array() : JsonArray{*type};
    std::string wanted;
    for (const Json& name : list) {
      if (has_type(value_, name.get_string())) return {};
      if (!wanted.empty()) wanted += " or ";
      wanted += with_article(name.get_string());
    }
    return must("be " + wanted);
  }

  std::optional<Violation> choice() const {
    if (const Json* only = schema_.if_contains("const"); only != nullptr && *only != value_) {
      return must("be " + shown(*only));
    }
    const Json* choices = schema_.if_contains("enum");
    if (choices == nullptr) return {};
    std::string list;
    for (const Json& choice : choices->get_array()) {
      if (choice == value_) return {};
      if (!list.empty()) list += ", ";
      list += shown(choice);
    }
    return must("be one of " + excerpt(list, 300));
  }

  std::optional<Violation> number() const {
    const double got = value_.to_number<double>();
    const auto breaks = [&](std::string_view keyword, auto accepted) {
      const Json* bound = schema_.if_contains(keyword);
      return bound != nullptr && !accepted(got, bound->to_number<double>()) ? bound : nullptr;
    };
    if (const Json* bound = breaks("minimum", std::greater_equal())) return must("be >= " + shown(*bound));
    if (const Json* bound = breaks("maximum", std::less_equal())) return must("be <= " + shown(*bound));
    if (const Json* bound = breaks("exclusiveMinimum", std::greater())) return must("be > " + shown(*bound));
    if (const Json* bound = breaks("exclusiveMaximum", std::less())) return must("be < " + shown(*bound));
    const auto divides = [](double value, double step) {
      return std::abs(std::remainder(value, step)) < 1e-9;
    };
    if (const Json* step = breaks("multipleOf", divides)) return must("be a multiple of " + shown(*step));
    return {};
  }

  std::optional<Violation> count(std::string_view keyword, std::size_t size, std::string_view noun) const {
    const Json* bound = schema_.if_contains(keyword);
    if (bound == nullptr) return {};
    const auto limit = static_cast<std::size_t>(bound->to_number<std::int64_t>());
    const bool least = keyword.starts_with("min");
    if (least ? size >= limit : size <= limit) return {};
    return Violation{
        pointer_, fmt::format("must have at {} {} {} (got {})", least ? "least" : "most", limit, noun, size)};
  }

  std::optional<Violation> string() const {
    const std::size_t length = code_points(value_.get_string());
    if (auto found = count("minLength", length, "characters")) return found;
    if (auto found = count("maxLength", length, "characters")) return found;
    const Json* pattern = schema_.if_contains("pattern");
    if (pattern == nullptr) return {};
    if (patterns_.matches(pattern->get_string(), value_.get_string())) return {};
    return must("match " + std::string(pattern->get_string()));
  }

  std::optional<Violation> array() const {
    const JsonArray& elements = value_.get_array();
    if (auto found = count("minItems", elements.size(), "entries")) return found;
    if (auto found = count("maxItems", elements.size(), "entries")) return found;
    const Json* items = schema_.if_contains("items");
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const std::string at = fmt::format("{}/{}", pointer_, i);
      if (items != nullptr) {
        if (auto found = explain_violation(patterns_, *items, elements[i], at)) return found;
      }
      const Json* unique = schema_.if_contains("uniqueItems");
      if (unique != nullptr && *unique == true &&
          std::count(elements.begin(), elements.end(), elements[i]) > 1) {
        return Violation{at, fmt::format("must not be repeated (got {})", shown(elements[i]))};
      }
    }
    return {};
  }

  std::optional<Violation> object() const {
    const JsonObject& members = value_.get_object();
    if (auto found = count("minProperties", members.size(), "members")) return found;
    if (auto found = count("maxProperties", members.size(), "members")) return found;
    if (const Json* required = schema_.if_contains("required")) {
      for (const Json& name : required->get_array()) {
        if (!members.contains(name.get_string()))
          return Violation{pointer_, fmt::format("must have a member {}", shown(name))};
      }
    }
    const Json* properties = schema_.if_contains("properties");
    const Json* others = schema_.if_contains("additionalProperties");
    for (const auto& member : members) {
      const std::string at = pointer_ + "/" + pointer_token(member.key());
      const Json* named =
          properties == nullptr ? nullptr : properties->get_object().if_contains(member.key());
      if (named == nullptr && others != nullptr && *others == false)
        return Violation{at, "is not a known member"};
      const Json* schema = named != nullptr ? named : others;
      if (schema == nullptr) continue;
      if (auto found = explain_violation(patterns_, *schema, member.value(), at)) return found;
    }
    return {};
  }

  const SettingPatterns& patterns_;
  const JsonObject& schema_;
  const Json& value_;
  const std::string& pointer_;
};

}  // namespace

std::string pointer_token(std::string_view key) {
  std::string token;
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

Result<Json> normalise_setting(const Json& value) {
  return Normaliser().run(value, {}, 1);
}

Result<void> check_setting_schema(const Json& schema, const std::string& pointer) {
  return check_schema(schema, pointer, true);
}

std::optional<Violation> explain_violation(const SettingPatterns& patterns, const Json& schema,
                                           const Json& value, const std::string& pointer) {
  if (schema.is_bool()) {
    if (schema.get_bool()) return {};
    return Violation{pointer, "is not allowed"};
  }
  return Explainer(patterns, schema.get_object(), value, pointer).run();
}

}  // namespace starling::protocol
