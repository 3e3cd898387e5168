// Purpose: notices when somebody edits a module's config.txt or module.toml, or brings or takes a module,
// with inotify. Owner: Agent. Thread: the io_context's. Lifetime: stop() completes before destruction.
//
// A module may write into its own folder as fast as it can: it is looked at a few times a second. The folder
// of all modules may itself be taken away and replaced, be a link that is turned, or come later.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/task_group.hpp"

namespace starling::agent {

class ModuleWatch {
 public:
  // Once for each module, however much was written; also for what the agent itself wrote. It has come if its
  // folder is there now, and is gone if not. The name may be one that no module can have, or a file's.
  using Changed = std::function<void(std::string_view module)>;

  ModuleWatch(const asio::any_io_executor& executor, Changed changed, Logger log);
  ~ModuleWatch();

  // What happens from now on is noticed. Errors: io (the kernel's limit of watches is reached, it is no
  // folder); changes are then seen at the next start only.
  Result<void> open(const std::filesystem::path& modules_folder);
  void start();  // tells it
  asio::awaitable<void> stop();

 private:
  struct Watch;
  asio::awaitable<void> run();
  std::set<std::string> read_events();
  void take(int watch, std::uint32_t mask, std::string_view name, std::set<std::string>& changed);
  int add_watch(const std::filesystem::path& folder, std::uint32_t mask) const;  // -1: errno
  void watch_above();
  void watch_module(const std::string& name);
  void watch_all(std::set<std::string>& found);
  void watch_anew(std::set<std::string>& changed);

  asio::any_io_executor executor_;
  Changed changed_;
  Logger log_;
  TaskGroup tasks_;
  std::filesystem::path folder_;
  std::unique_ptr<Watch> watch_;
  int folder_watch_ = -1;  // -1: the folder is away
  int above_watch_ = -1;
  std::filesystem::path awaited_;       // there, the next on the way to the folder
  std::map<int, std::string> modules_;  // by watch
};

}  // namespace starling::agent
