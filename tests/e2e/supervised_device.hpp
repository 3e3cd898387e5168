// Purpose: a keeper, its agent and the modules that this runs, as real processes; without a hub unless told.
// Owner: the test. Thread: the test's. Lifetime: everything that was started ends with it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/process_stat.hpp"
#include "e2e/process.hpp"

namespace starling::e2e {

class SupervisedDevice {
 public:
  static constexpr const char* no_hub = "http://127.0.0.1:9";
  explicit SupervisedDevice(std::vector<std::string> agent_arguments = {}, std::string hub_url = no_hub);
  ~SupervisedDevice();

  std::filesystem::path state() const { return folder_ / "state"; }
  std::filesystem::path modules() const { return folder_ / "modules"; }

  // A copy of a module's folder, with words in its files replaced. Programs of ours are found beside it.
  std::filesystem::path install(const std::filesystem::path& source, std::string_view name,
                                const std::map<std::string, std::string>& words = {});
  void write_module(std::string_view name, std::string_view manifest, bool enabled = false);

  // Returns when the agent answers. `by`: a command that runs the agent, whose command line follows.
  void start(const std::vector<std::string>& by = {});
  // By this it sees no hierarchy, where that may be hidden; who may not do that has none delegated.
  static std::vector<std::string> without_cgroups();
  Process& keeper() { return *keeper_; }
  pid_t agent() const;
  std::string log() const { return read_text(folder_ / "device.log"); }

  // starling-agent ctl
  Finished ctl(std::vector<std::string> words) const;
  std::string command(const std::string& verb, const std::string& module) const;  // throws if it fails
  JsonObject show(const std::string& module) const;
  std::string state_of(const std::string& module) const;
  void await_state(const std::string& module, std::string_view state) const;
  // The process of a module that is ready; another one than `former`.
  pid_t await_ready(const std::string& module, pid_t former = 0) const;

  // Whatever lives and was started by modules, however it has changed its parents, sessions and environment.
  std::vector<pid_t> module_processes() const;

 private:
  // As eventually(), with the log if it was in vain.
  void await(std::string_view what, const std::function<bool()>& condition) const;

  bool is_agent(const ProcessEntry& process) const;

  TemporaryFolder folder_;
  std::vector<std::string> agent_arguments_;
  std::string hub_url_;
  std::optional<Process> keeper_;
  mutable int commands_ = 0;
};

}  // namespace starling::e2e
