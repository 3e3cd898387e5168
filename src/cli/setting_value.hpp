// Purpose: from "hotword.threshold=0.6" on the command line to the JSON value that is meant, by the setting's
// schema.
// Owner: the command. Thread: one. Lifetime: short.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::cli {

struct Assignment {
  std::string key;
  std::string text;
};

// "KEY=VALUE". Errors: invalid_argument.
Result<Assignment> parse_assignment(std::string_view text);

// The settings that the hub's components declare, and `modules.NAME.enabled` of any module.
class SettingCatalog {
 public:
  // From the answer of /api/v1/components.
  explicit SettingCatalog(const JsonObject& components);

  // The full key of a key or alias. Errors: not_found, naming what was probably meant.
  Result<std::string> full_key(std::string_view key_or_alias) const;

  // Where the schema says string, the text is the value (a JSON string is unquoted); else it must be JSON of
  // a fitting type. Errors: not_found (the setting), invalid_argument.
  Result<Json> parse_value(std::string_view key_or_alias, std::string_view text) const;
  // As above; `null` stands for "nothing is written there".
  Result<Json> parse_expected(std::string_view key_or_alias, std::string_view text) const;
  // Of several KEY=VALUE, by full key. Further errors: invalid_argument (one is given twice).
  Result<JsonObject> parse_values(const std::vector<std::string>& assignments) const;

 private:
  const JsonObject& schema_of(std::string_view full_key) const;

  std::map<std::string, JsonObject, std::less<>> schemas_;  // by full key
  std::map<std::string, std::string, std::less<>> aliases_;
};

// The candidate that was probably meant, empty if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace starling::cli
