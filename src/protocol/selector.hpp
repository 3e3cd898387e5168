// Purpose: names a set of devices by their labels: `room=nursery,kind!=lab`.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace starling::protocol {

using Labels = std::map<std::string, std::string, std::less<>>;

// At most 64 labels. A label's key: 1 to 63 of [A-Za-z0-9._/-], starting and ending alphanumeric; a value: 0
// to 63 of the same.
Result<void> validate_labels(const Labels& labels);

// A conjunction of terms. `key=value`, `key!=value` (also true where the key is absent), `key` (present),
// `!key` (absent), `key in (a|b)` is written `key=a|b`. The empty selector matches every device. At most 2048
// bytes, 32 terms, 64 values a term.
class Selector {
 public:
  // Errors: invalid_argument, naming the term.
  static Result<Selector> parse(std::string_view text);

  bool matches(const Labels& labels) const;
  bool empty() const { return terms_.empty(); }
  // Sorted, without spaces or repeats: equal sets of terms have equal text.
  std::string canonical() const;

  enum class Operator { equal, not_equal, present, absent };
  struct Term {
    std::string key;
    Operator op = Operator::present;
    std::vector<std::string> values;  // sorted; only for equal and not_equal
    auto operator<=>(const Term&) const = default;
  };
  const std::vector<Term>& terms() const { return terms_; }  // sorted, without repeats

 private:
  static Result<Term> parse_term(std::string_view text);

  std::vector<Term> terms_;
};

}  // namespace starling::protocol
