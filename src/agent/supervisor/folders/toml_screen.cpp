#include "agent/supervisor/folders/toml_screen.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"

namespace starling::agent {
namespace {

// Takes characters, comments and strings as wholes from valid UTF-8. What it takes for a string and the
// parser does not is an error to the parser in any case.
class Screen {
 public:
  explicit Screen(std::string_view text) : rest_(text) {}

  Result<std::string> ascii() {
    while (!rest_.empty() && error_.empty()) {
      switch (rest_.front()) {
        case '#': take_comment(); break;
        case '"':
        case '\'': take_string(rest_.front()); break;
        default: take("a character that is allowed only in \"strings\" and comments");
      }
    }
    if (error_.empty()) return std::move(ascii_);
    const auto line = 1 + std::ranges::count(ascii_, '\n');
    return fail(ErrorCode::invalid_argument, fmt::format(":{}: {}", line, error_));
  }

 private:
  bool at_ascii() const { return static_cast<unsigned char>(rest_.front()) < 0x80; }

  // One ASCII character as it is; another one is an error.
  void take(std::string_view otherwise) {
    if (!at_ascii()) error_ = otherwise;
    ascii_ += rest_.front();
    rest_.remove_prefix(1);
  }

  char32_t next_character() {
    const auto first = static_cast<unsigned char>(rest_.front());
    const int more = first < 0xc0 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    char32_t character = more == 0 ? first : first & (0x3fu >> more);
    for (int i = 1; i <= more; ++i)
      character = (character << 6) | (static_cast<unsigned char>(rest_[static_cast<std::size_t>(i)]) & 0x3fu);
    rest_.remove_prefix(static_cast<std::size_t>(more) + 1);
    return character;
  }

  void take_comment() {
    while (!rest_.empty() && rest_.front() != '\n') {
      if (at_ascii()) {
        take({});
      } else {
        next_character();
        ascii_ += '?';
      }
    }
  }

  void take_string(char quote) {
    const std::string triple(3, quote);
    const std::string end = rest_.starts_with(triple) ? triple : triple.substr(0, 1);
    ascii_ += end;
    rest_.remove_prefix(end.size());
    while (!rest_.empty() && error_.empty()) {
      if (rest_.starts_with(end)) {
        ascii_ += end;
        rest_.remove_prefix(end.size());
        return;
      }
      if (end.size() == 1 && rest_.front() == '\n') {
        error_ = fmt::format("a string has no closing {} on its line", quote);
      } else {
        take_from_string(quote);
      }
    }
  }

  void take_from_string(char quote) {
    if (quote == '"' && rest_.front() == '\\') {
      take({});
      if (!rest_.empty()) take("a character that cannot follow a backslash");
    } else if (quote == '"' && !at_ascii()) {
      ascii_ += fmt::format("\\U{:08X}", static_cast<std::uint32_t>(next_character()));
    } else {
      take("a character that is allowed in \"strings\", but not in 'strings'");
    }
  }

  std::string_view rest_;
  std::string ascii_, error_;
};

}  // namespace

Result<std::string> screened_toml(std::string_view text) {
  constexpr std::ptrdiff_t most_nesting = 2'000;
  if (std::ranges::count_if(text, [](char c) { return c == '.' || c == '[' || c == '{'; }) > most_nesting)
    return fail(ErrorCode::too_large, ": more dots and brackets than any module needs");
  if (!is_utf8(text)) return fail(ErrorCode::invalid_argument, ": this is not UTF-8 text");
  return Screen(text).ascii();
}

}  // namespace starling::agent
