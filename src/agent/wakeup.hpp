// Purpose: how a driver says that it has fed the core an event, so that the next deadline may be another one.
// Owner: Agent implements it. Thread: the io_context's. Lifetime: outlives the drivers.
#pragma once

namespace starling::agent {

class Wakeup {
 public:
  virtual ~Wakeup() = default;
  virtual void deadlines_changed() = 0;
};

}  // namespace starling::agent
