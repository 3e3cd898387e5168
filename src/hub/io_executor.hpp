// Purpose: the hub's turns on an io_context.
// Owner: Server or a test. Thread: post() from any; the work runs on the io_context's one thread.
// Lifetime: the io_context outlives it; it outlives the core.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>

#include "hub/executor.hpp"

namespace starling::hub {

class IoExecutor final : public Executor {
 public:
  explicit IoExecutor(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  void post(std::function<void()> work) override;

 private:
  boost::asio::any_io_executor executor_;
};

}  // namespace starling::hub
