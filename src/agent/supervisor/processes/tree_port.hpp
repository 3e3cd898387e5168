// Purpose: what the supervisor asks about a module's whole process tree, which outlives the process that was
// spawned: grandchildren, double forks. Owner: ProcessTrees or a test implements it. Thread: one. Lifetime:
// outlives SupervisorCore.
//
// A tree belongs to a module, not to one run of it: what an earlier run, an earlier agent or an earlier
// keeper left behind is part of it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/supervisor/folders/manifest.hpp"
#include "base/result.hpp"

namespace starling::agent {

// Where a run's processes are put, so that they are found again.
struct TreePlace {
  std::string cgroup;                                            // an existing folder; empty: there is none
  std::vector<std::pair<std::string, std::string>> environment;  // inherited by all of the tree
};

class TreePort {
 public:
  virtual ~TreePort() = default;
  // Called while the module's tree is empty; puts the limits of the manifest in force where it can.
  virtual Result<TreePlace> make(const ModuleManifest& manifest, std::string_view child_id) = 0;
  // What of its limits is not in force, and why; empty: nothing. Once it has been spawned.
  virtual std::string unmet_limits(const ModuleManifest& manifest) const = 0;
  virtual void kill(std::string_view module) = 0;              // SIGKILL to all of it
  virtual bool empty(std::string_view module) const = 0;       // nothing of it lives
  virtual bool main_lives(std::string_view module) const = 0;  // its main process; cheap
  virtual std::vector<std::string> left_over() const = 0;  // whom an earlier time may have left something of
};

}  // namespace starling::agent
