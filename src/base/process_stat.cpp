#include "base/process_stat.hpp"

#include <algorithm>

#include "base/leading_number.hpp"

namespace starling {

std::optional<ProcessEntry> parse_process_stat(std::string_view text) {
  ProcessEntry entry;
  const auto pid = leading_number<std::int32_t>(text);
  // The name of the program stands in brackets and may hold brackets and blanks itself.
  const auto name_end = text.rfind(") ");
  if (!pid || name_end == std::string_view::npos || name_end + 2 >= text.size()) return {};
  entry.pid = *pid;
  text.remove_prefix(name_end + 2);
  entry.state = text.front();

  std::uint64_t user = 0, system = 0;
  constexpr int start_time_field = 22;
  for (int field = 3; field <= start_time_field; ++field) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (word.empty()) return {};
    const auto number = leading_number<std::int64_t>(word);
    if (!number && field != 3) return {};
    switch (field) {
      case 4: entry.parent = static_cast<std::int32_t>(*number); break;
      case 5: entry.group = static_cast<std::int32_t>(*number); break;
      case 6: entry.session = static_cast<std::int32_t>(*number); break;
      case 14: user = static_cast<std::uint64_t>(*number); break;
      case 15: system = static_cast<std::uint64_t>(*number); break;
      case start_time_field: entry.start_time = static_cast<std::uint64_t>(*number); break;
      default: break;
    }
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  entry.cpu_ticks = user + system;
  return entry;
}

}  // namespace starling
