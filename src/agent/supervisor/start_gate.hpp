// Purpose: what the other modules and the device allow a module. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "agent/supervisor/module_state.hpp"

namespace starling::agent {

struct StartGate {
  enum class Wait { nothing, order, requirement, device };
  Wait wait = Wait::nothing;  // it cannot start now
  std::string waits_for;      // for people
  bool must_stop = false;     // nor can it run on
  Cause stop_cause = Cause::none;
  bool in_vain = false;  // nothing that is here ends the wait
  std::string missing;   // what stands at the end of a chain of requirements: "'bus', which does not exist"
};

}  // namespace starling::agent
