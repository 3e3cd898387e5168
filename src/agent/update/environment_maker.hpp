// Purpose: makes Python environments with the python3 of the system: venv, then pip, from a folder of wheels
// and nothing else.
// Owner: Updater. Thread: the io_context's. Lifetime: stop() and the end of make() before destruction.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>

#include "agent/update/child_process.hpp"
#include "agent/update/python_environment.hpp"

namespace starling::agent {

class EnvironmentMaker {
 public:
  EnvironmentMaker(asio::any_io_executor executor, std::filesystem::path state)
      : executor_(std::move(executor)), state_(std::move(state)) {}

  // All of it is on the disk then. Errors as UpdatePort::make_environment() has them.
  asio::awaitable<Result<void>> make(EnvironmentWish wish);
  void stop();  // what is being made is not wanted any more

 private:
  asio::any_io_executor executor_;
  std::filesystem::path state_;
  ChildProcess* running_ = nullptr;
};

}  // namespace starling::agent
