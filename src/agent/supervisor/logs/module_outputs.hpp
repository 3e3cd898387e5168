// Purpose: reads the pipes of all modules into their logs. Owner: Agent. Thread: the io_context's.
// Lifetime: stop() completes before destruction.
//
// A module that floods is read more slowly than it writes, so that the others and the agent go on.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/logs/module_log.hpp"
#include "base/file_descriptor.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

class ModuleOutputs {
 public:
  // Of one module: what earlier runs left open is closed beyond that.
  static constexpr std::size_t max_pipes = 8;

  // `folder` exists: STATE/logs.
  ModuleOutputs(asio::any_io_executor executor, const Clock& clock, std::filesystem::path folder, Logger log);
  ~ModuleOutputs();
  asio::awaitable<void> stop();

  // The streams of a run; earlier ones are read on until they end. `module` is a valid name.
  void attach(std::string_view module, std::uint64_t run, FileDescriptor out, FileDescriptor err);
  // Reads what a module that has ended left in its pipes, without waiting; bounded.
  void drain(std::string_view module);
  // The module is known no more.
  void forget(std::string_view module);

  ModuleLog& log_of(std::string_view module);

 private:
  struct Pipe;
  asio::awaitable<void> read(std::shared_ptr<Pipe> pipe);
  bool read_once(Pipe& pipe);
  void add(std::string_view module, LogStream stream, FileDescriptor descriptor);

  asio::any_io_executor executor_;
  const Clock& clock_;
  std::filesystem::path folder_;
  Logger log_;
  TaskGroup tasks_;
  std::map<std::string, std::unique_ptr<ModuleLog>, std::less<>> logs_;
  std::vector<std::shared_ptr<Pipe>> pipes_;  // oldest first
  std::vector<char> buffer_;                  // one for all: nothing waits while it is in use
};

}  // namespace starling::agent
