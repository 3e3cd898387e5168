// Purpose: what on this device was not as it should be, and was put right or worked around.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <string>

namespace starling::agent {

struct Drift {
  std::string kind;  // "corruption", "local_edit", "failed_apply"
  std::string message;
  std::int64_t at_ms = 0;  // Unix time on the device's clock
};

}  // namespace starling::agent
