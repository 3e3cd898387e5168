// Purpose: how the hub's core puts work off to a later turn of its one thread, so that the same core runs on
// an io_context and, in the fleet simulator, on a virtual clock. Owner: main() or the simulator. Thread:
// post() from any; the work runs on the hub's. Lifetime: outlives the core.
#pragma once

#include <functional>

namespace starling::hub {

class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> work) = 0;
};

}  // namespace starling::hub
