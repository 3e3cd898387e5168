#include "protocol/selector.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "protocol/excerpt.hpp"

namespace starling::protocol {
namespace {

constexpr std::size_t max_selector_bytes = 2048;
constexpr std::size_t max_terms = 32;
constexpr std::size_t max_values = 64;
constexpr std::size_t max_labels = 64;
constexpr std::size_t max_word_bytes = 63;

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_value(std::string_view text) {
  return text.size() <= max_word_bytes && std::all_of(text.begin(), text.end(), [](char c) {
           return is_alphanumeric(c) || c == '.' || c == '_' || c == '/' || c == '-';
         });
}

bool is_key(std::string_view text) {
  return !text.empty() && is_value(text) && is_alphanumeric(text.front()) && is_alphanumeric(text.back());
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(trim(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::unexpected<Error> wrong_term(std::string_view term, std::string_view why) {
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("the selector term '{}' is wrong: {}; write key=value, key=a|b, key!=value, key or !key, "
                  "separated by commas",
                  excerpt(term, 200), why));
}

}  // namespace

Result<void> validate_labels(const Labels& labels) {
  if (labels.size() > max_labels) {
    return fail(ErrorCode::invalid_argument, fmt::format("a device has at most {} labels", max_labels));
  }
  for (const auto& [key, value] : labels) {
    if (!is_key(key)) {
      return fail(
          ErrorCode::invalid_argument,
          fmt::format("'{}' is no label key: 1 to 63 of A-Z a-z 0-9 . _ / - that start and end with a letter "
                      "or digit",
                      excerpt(key)));
    }
    if (!is_value(value)) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("the label {} cannot have the value '{}': at most 63 of A-Z a-z 0-9 . _ / -",
                              key, excerpt(value)));
    }
  }
  return {};
}

Result<Selector> Selector::parse(std::string_view text) {
  Selector selector;
  if (text.size() > max_selector_bytes) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a selector has at most {} bytes", max_selector_bytes));
  }
  if (trim(text).empty()) return selector;
  for (const std::string_view part : split(text, ',')) {
    Result<Term> term = parse_term(part);
    if (!term) return fail(term);
    selector.terms_.push_back(std::move(*term));
  }
  if (selector.terms_.size() > max_terms) {
    return fail(ErrorCode::invalid_argument, fmt::format("a selector has at most {} terms", max_terms));
  }
  std::sort(selector.terms_.begin(), selector.terms_.end());
  selector.terms_.erase(std::unique(selector.terms_.begin(), selector.terms_.end()), selector.terms_.end());
  return selector;
}

Result<Selector::Term> Selector::parse_term(std::string_view text) {
  Term term;
  std::string_view key = text;
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) {
    const bool absent = text.starts_with('!');
    term.op = absent ? Operator::absent : Operator::present;
    if (absent) key = trim(text.substr(1));
  } else {
    const bool negated = equals > 0 && text[equals - 1] == '!';
    term.op = negated ? Operator::not_equal : Operator::equal;
    key = trim(text.substr(0, negated ? equals - 1 : equals));
    for (const std::string_view value : split(text.substr(equals + 1), '|')) {
      if (!is_value(value)) return wrong_term(text, fmt::format("'{}' is no label value", excerpt(value)));
      term.values.emplace_back(value);
    }
    if (term.values.size() > max_values) return wrong_term(text, "too many values");
    std::sort(term.values.begin(), term.values.end());
    term.values.erase(std::unique(term.values.begin(), term.values.end()), term.values.end());
  }
  if (!is_key(key)) return wrong_term(text, fmt::format("'{}' is no label key", excerpt(key)));
  term.key = key;
  return term;
}

bool Selector::matches(const Labels& labels) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
    const auto label = labels.find(term.key);
    const bool present = label != labels.end();
    const bool listed = present && std::binary_search(term.values.begin(), term.values.end(), label->second);
    switch (term.op) {
      case Operator::equal: return listed;
      case Operator::not_equal: return !listed;
      case Operator::present: return present;
      case Operator::absent: return !present;
    }
    return false;
  });
}

std::string Selector::canonical() const {
  std::string text;
  for (const Term& term : terms_) {
    if (!text.empty()) text += ',';
    if (term.op == Operator::absent) text += '!';
    text += term.key;
    if (term.op == Operator::equal) text += '=';
    if (term.op == Operator::not_equal) text += "!=";
    text += fmt::format("{}", fmt::join(term.values, "|"));
  }
  return text;
}

}  // namespace starling::protocol
