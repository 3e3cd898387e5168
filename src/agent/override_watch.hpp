// Purpose: notices when somebody has written the override file by hand, with inotify.
// Owner: Agent. Thread: the io_context's. Lifetime: stop() completes before destruction.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "base/task_group.hpp"

namespace starling::agent {

class OverrideWatch {
 public:
  OverrideWatch(const asio::any_io_executor& executor, std::function<void()> written, Logger log);
  ~OverrideWatch();

  // Errors: io (the kernel's limit of watches is reached); the file is then looked at with each start only.
  Result<void> start(const std::filesystem::path& state_folder);
  asio::awaitable<void> stop();

 private:
  struct Watch;
  asio::awaitable<void> run();

  asio::any_io_executor executor_;
  std::function<void()> written_;
  TaskGroup tasks_;
  std::unique_ptr<Watch> watch_;
};

}  // namespace starling::agent
