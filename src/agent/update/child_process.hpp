// Purpose: a program that the agent runs to its end, apart from modules: with a limit of time and output, and
// never longer than the agent lives, with all that it has started in its process group.
// Owner: whoever needs what it does. Thread: the io_context's. Lifetime: one run; it is killed with this.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling::agent {

namespace asio = boost::asio;

struct Command {
  std::vector<std::string> arguments;    // the program's absolute path first
  std::vector<std::string> environment;  // "NAME=value"; nothing else is passed on
  Milliseconds limit{600'000};
};

class ChildProcess {
 public:
  static constexpr std::size_t max_output_bytes = 1u << 20;
  static constexpr std::size_t kept_output_bytes = 800;

  // With a process group of its own, umask 022 and low priority. Errors: not_found (the program is not
  // there), unavailable (no process can be made).
  static Result<std::unique_ptr<ChildProcess>> start(const asio::any_io_executor& executor,
                                                     const Command& command);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Once. Errors, with its last lines: invalid_argument (it ended with another status than 0), timed_out,
  // too_large (it said too much), unavailable (it was killed).
  asio::awaitable<Result<void>> end();
  // It and what it has started.
  void kill();

 private:
  struct Io;

  explicit ChildProcess(std::shared_ptr<Io> io, std::string program);
  void take(std::string_view output);
  Result<void> outcome(int status) const;

  std::shared_ptr<Io> io_;  // its own: whether it is still there
  std::string program_;
  int pid_ = -1;  // of its group, too; -1: it is no more
  std::size_t output_bytes_ = 0;
  std::string last_output_;
  bool killed_ = false, late_ = false;
};

}  // namespace starling::agent
