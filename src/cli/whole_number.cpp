#include "cli/whole_number.hpp"

#include <fmt/format.h>

#include <charconv>

namespace starling::cli {

CLI::Validator whole_number(std::int64_t least) {
  return CLI::Validator(
      [least](const std::string& text) -> std::string {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc{} && end == text.data() + text.size() && number >= least) return {};
        return fmt::format("'{}' is not a whole number of {} or more", text, least);
      },
      "");
}

}  // namespace starling::cli
