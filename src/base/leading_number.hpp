// Purpose: the number at the beginning of a text, as in the files of /proc. Owner: none. Thread: any.
// Lifetime: none.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace starling {

// Whatever follows it; nullopt if there is none, or it does not fit.
template <typename Number>
std::optional<Number> leading_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return {};
  return number;
}

}  // namespace starling
