// Purpose: one time limit over several waits, for the few connections that a client opens.
// Owner: the coroutine that is limited. Thread: the io_context's. Lifetime: the coroutine's.
// Inner header of base.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "base/clock.hpp"

namespace starling::net {

class Deadline {
 public:
  Deadline(boost::asio::io_context& context, Milliseconds limit)
      : state_(std::make_shared<State>(context, limit)) {
    state_->timer.async_wait([state = state_](const boost::system::error_code& error) {
      if (error) return;
      state->passed = true;
      if (state->interrupt) state->interrupt();
    });
  }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  ~Deadline() {
    state_->interrupt = nullptr;
    state_->timer.cancel();
  }

  bool passed() const { return state_->passed; }
  // What ends the wait that is going on; called at most once. An empty one: nothing is waiting.
  void interrupt_with(std::function<void()> interrupt) { state_->interrupt = std::move(interrupt); }

 private:
  struct State {
    State(boost::asio::io_context& context, Milliseconds limit) : timer(context, limit) {}
    boost::asio::steady_timer timer;
    std::function<void()> interrupt;
    bool passed = false;
  };
  std::shared_ptr<State> state_;  // shared with the timer's handler, which may be queued already
};

}  // namespace starling::net
