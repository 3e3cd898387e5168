// Purpose: the only way to start a coroutine. Its owner's stop() cancels all of them and waits for the last.
// Owner: the part whose work it is. Thread: the io_context's. Lifetime: stop() must have completed before the
// group and anything that its coroutines use is destroyed.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string_view>

#include "base/log.hpp"

namespace starling {

namespace asio = boost::asio;

class TaskGroup {
 public:
  TaskGroup(asio::any_io_executor executor, Logger log);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Pass a named member coroutine's result, never a capturing lambda's (GCC 12 destroys its captures twice).
  // `name` is a literal. After stop() has begun, nothing is started any more.
  void start(std::string_view name, asio::awaitable<void> task);

  // Emits terminal cancellation to every task and completes when all have ended. May be called once.
  asio::awaitable<void> stop();

  std::size_t running() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the completion handlers of running tasks
};

}  // namespace starling
