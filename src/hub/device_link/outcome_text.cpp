#include "hub/device_link/outcome_text.hpp"

#include <algorithm>

namespace starling::hub {

std::string outcome_text(const std::vector<protocol::KeyError>& errors,
                         const std::vector<protocol::KeyError>& before) {
  std::string text;
  std::size_t as_before = 0;
  for (const protocol::KeyError& error : errors) {
    const bool is_known = std::ranges::any_of(before, [&error](const protocol::KeyError& known) {
      return known.key == error.key && known.message == error.message;
    });
    if (is_known) {
      ++as_before;
    } else {
      text += (text.empty() ? "" : "; ") + (error.key.empty() ? "" : error.key + ": ") + error.message;
    }
  }
  if (as_before > 0) text += (text.empty() ? "" : "; and ") + std::to_string(as_before) + " as before";
  return text;
}

}  // namespace starling::hub
