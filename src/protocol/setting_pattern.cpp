#include "protocol/setting_pattern.hpp"

// GCC 12 takes a member of std::regex for uninitialised when a sanitizer is on (GCC bug 105562).
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>

namespace starling::protocol {
namespace {

constexpr std::size_t max_pattern_bytes = 256;
constexpr std::size_t max_repetition = 1000;

// libstdc++'s engine that walks all alternatives at once instead of backtracking.
constexpr auto syntax = std::regex::ECMAScript | std::regex_constants::__polynomial;

// Each {m,n} copies what it follows n times, also what was copied before.
std::size_t repetition_of(std::string_view pattern) {
  std::size_t product = 1;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '{') continue;
    std::size_t largest = 1;
    std::size_t number = 0;
    for (++i; i < pattern.size() && pattern[i] != '}'; ++i) {
      const char c = pattern[i];
      number = c >= '0' && c <= '9'
                   ? std::min<std::size_t>(number * 10 + static_cast<std::size_t>(c - '0'), 100'000)
                   : 0;
      largest = std::max(largest, number);
    }
    product = std::min<std::size_t>(product * largest, 100'000);
  }
  return product;
}

// The schemas inside one at which a pattern may stand.
template <typename Object, typename Visit>
void for_each_inner(Object& schema, Visit visit) {
  for (const std::string_view keyword : {"items", "additionalProperties"}) {
    if (auto* inner = schema.if_contains(keyword)) visit(*inner);
  }
  if (auto* properties = schema.if_contains("properties")) {
    for (auto& member : properties->as_object())
      visit(member.value());
  }
}

void remove_patterns(Json& schema) {
  JsonObject* object = schema.if_object();
  if (object == nullptr) return;
  object->erase("pattern");
  for_each_inner(*object, remove_patterns);
}

Result<std::regex> compile_pattern(std::string_view pattern) {
  if (pattern.size() > max_pattern_bytes) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a pattern has at most {} bytes", max_pattern_bytes));
  }
  if (repetition_of(pattern) > max_repetition) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("a pattern repeats at most {} times; use minLength and maxLength", max_repetition));
  }
  try {
    return std::regex(pattern.data(), pattern.size(), syntax);
  } catch (const std::regex_error& error) {
    return fail(ErrorCode::invalid_argument, fmt::format("not a regular expression: {}", error.what()));
  }
}

}  // namespace

struct SettingPatterns::Compiled {
  std::map<std::string, std::regex, std::less<>> by_text;
};

SettingPatterns::SettingPatterns() : compiled_(std::make_unique<Compiled>()) {}
SettingPatterns::~SettingPatterns() = default;

Result<void> check_pattern(std::string_view pattern) {
  const auto compiled = compile_pattern(pattern);
  if (!compiled) return fail(compiled);
  return {};
}

void SettingPatterns::add_all(const Json& schema) {
  const JsonObject* object = schema.if_object();
  if (object == nullptr) return;
  if (const Json* pattern = object->if_contains("pattern")) {
    const std::string_view text = pattern->get_string();
    if (auto compiled = compile_pattern(text)) compiled_->by_text.emplace(text, std::move(*compiled));
  }
  for_each_inner(*object, [this](const Json& inner) { add_all(inner); });
}

bool SettingPatterns::matches(std::string_view pattern, std::string_view text) const {
  const auto compiled = compiled_->by_text.find(pattern);
  return compiled != compiled_->by_text.end() &&
         std::regex_search(text.begin(), text.end(), compiled->second);
}

Json without_patterns(const Json& schema) {
  Json copy = schema;
  remove_patterns(copy);
  return copy;
}

}  // namespace starling::protocol
