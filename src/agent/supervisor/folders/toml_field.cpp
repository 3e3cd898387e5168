#include "agent/supervisor/folders/toml_field.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/trimmed.hpp"

namespace starling::agent {
namespace {

constexpr std::string_view quotes = "\"'";

bool is_key(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !text.empty() && std::ranges::all_of(text, plain);
}

// What nobody writes as a number.
bool is_bare_text(std::string_view value) {
  return !value.empty() && quotes.find(value.front()) == std::string_view::npos &&
         value.find_first_not_of("0123456789+-_.") != std::string_view::npos;
}

class Lines {
 public:
  void take(std::string_view line) {
    const std::string_view text = trimmed(line.substr(0, line.find('#')));
    const auto equals = text.find('=');
    const std::string_view key = trimmed(text.substr(0, equals));
    if (equals != std::string_view::npos && is_key(key)) {
      take_value(key, trimmed(text.substr(equals + 1)));
    } else if (in_array_) {
      field_.unquoted = has_bare_texts(text);
      in_array_ = text.find(']') == std::string_view::npos;
    } else {
      field_ = {};
      take_header(text);
    }
  }
  const TomlField& field() const { return field_; }

 private:
  void take_value(std::string_view key, std::string_view value) {
    field_ = {table_ + std::string(key), false, {}};
    in_array_ = value.starts_with('[') && value.find(']') == std::string_view::npos;
    if (value.starts_with('[')) {
      field_.unquoted = has_bare_texts(value.substr(1));
    } else if (!value.starts_with('{')) {
      field_.unquoted = is_bare_text(value);
    }
    const bool plain = value.find_first_of("\"'\\[{") == std::string_view::npos;
    if (field_.unquoted && plain) field_.quoted = fmt::format("{} = \"{}\"", key, value);
  }

  void take_header(std::string_view text) {
    if (!text.starts_with('[') || !text.ends_with(']')) return;
    const auto first = std::min(text.find_first_not_of('['), text.size());
    const std::string_view name = trimmed(text.substr(first, text.find_last_not_of(']') + 1 - first));
    table_ = is_key(name) ? std::string(name) + "." : std::string();
  }

  static bool has_bare_texts(std::string_view elements) {
    while (!elements.empty()) {
      const auto end = std::min(elements.find_first_of(",]"), elements.size());
      const std::string_view element = trimmed(elements.substr(0, end));
      if (is_bare_text(element) && !element.starts_with('{')) return true;
      elements.remove_prefix(std::min(end + 1, elements.size()));
    }
    return false;
  }

  std::string table_;  // "limits."
  bool in_array_ = false;
  TomlField field_;
};

}  // namespace

TomlField field_at(std::string_view toml, std::size_t line) {
  Lines lines;
  for (std::size_t number = 1; number <= line && !toml.empty(); ++number) {
    const auto end = std::min(toml.find('\n'), toml.size());
    lines.take(toml.substr(0, end));
    toml.remove_prefix(std::min(end + 1, toml.size()));
    if (toml.empty() && number < line) return {};
  }
  return lines.field();
}

}  // namespace starling::agent
