// Purpose: what on this device was not as it should be, and was put right or worked around.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace starling::agent {

inline constexpr std::string_view local_edit = "local_edit", failed_apply = "failed_apply";

struct Drift {
  std::string kind;  // one of these, or "corruption"
  std::string message;
  std::int64_t at_ms = 0;  // Unix time on the device's clock
  bool put_right = false;  // the device is as it should be again; told for a while, and no drift any more
};

}  // namespace starling::agent
