// Purpose: `starling-agent ctl doctor`: looks at what a device needs to do its work, and says of each thing
// whether it is there and else what to do. Reads only; works whether or not an agent runs.
// Owner: run_ctl(). Thread: the main one; blocks, for 10 s at most. Lifetime: values.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace starling::agent {

struct Finding {
  enum class Kind { good, warning, problem };
  Kind kind = Kind::good;
  std::string what;
  std::string advice;                   // empty: nothing to do, or commands say it
  std::vector<std::string> commands{};  // to be pasted
};

struct Patient {
  std::filesystem::path state;
  std::string hub;  // empty: not known, and not tried
  std::vector<std::string> pins;
  std::filesystem::path
      unit_state{};  // of the agent that the packaged unit starts; empty: there is no systemd
};

std::vector<Finding> examine(const Patient& patient);

}  // namespace starling::agent
