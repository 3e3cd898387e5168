#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/rfc3339.hpp"
#include "cli/printable.hpp"

// Whatever a hub sends: what is printed is printable, cuts are as narrow as asked for, JSON stays the same
// value.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::cli;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string safe = printable(text);
  if (printable(safe) != safe) std::abort();
  for (const std::size_t columns : {0, 1, 2, 7}) {
    if (display_width(cut_to_width(safe, columns)) > columns) std::abort();
  }
  static_cast<void>(parse_rfc3339(text));
  if (const auto json = parse_json(text)) {
    const std::string pretty = pretty_json(*json);
    if (printable_lines(pretty) != pretty) std::abort();
    const auto again = parse_json(pretty);
    if (!again || pretty_json(*again) != pretty) std::abort();
    static_cast<void>(show_value(*json));
  }
  return 0;
}
