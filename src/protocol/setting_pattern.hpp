// Purpose: matches strings of settings with the patterns of their schemas, in bounded stack and time: the
// usual engine of std::regex recurses for each byte and backtracks without end on patterns such as (a+)+$.
// Owner: Component. Thread: any, once filled. Lifetime: that of its owner.
#pragma once

#include <memory>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol {

// ECMAScript without back-references and lookahead; at most 256 bytes; counted repetitions may multiply to
// 1000. Errors: invalid_argument.
Result<void> check_pattern(std::string_view pattern);

// Compiled patterns by their text.
class SettingPatterns {
 public:
  SettingPatterns();
  ~SettingPatterns();

  // Takes in every pattern of a schema that check_setting_schema() has passed.
  void add_all(const Json& schema);
  // `pattern` is one of those; matches anywhere in the text, as JSON Schema says.
  bool matches(std::string_view pattern, std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

// The schema as a validator gets it that must not match patterns itself.
Json without_patterns(const Json& schema);

}  // namespace starling::protocol
