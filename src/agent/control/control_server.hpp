// Purpose: the socket on which people and scripts on the device speak to the agent (`starling-agent ctl`):
// modules, their states, logs and transitions; releases. One request line in, answer lines out, as JSON.
// Owner: Agent. Thread: the io_context's. Lifetime: stop() completes before destruction.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/supervisor/supervisor.hpp"
#include "agent/update/update_core.hpp"
#include "agent/wakeup.hpp"
#include "base/net/unix_listener.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

class ControlServer {
 public:
  static constexpr std::string_view socket_name = "control.sock";
  static constexpr std::size_t max_request_bytes = 16 * 1024;
  static constexpr std::size_t max_connections = 64;  // then the one that has been idle longest is left
  static constexpr std::size_t max_followers = 16;    // among them, so that requests always get through
  // One that follows and does not read is told so and left.
  static constexpr std::size_t max_unsent_bytes = 1u << 20;

  ControlServer(const asio::any_io_executor& executor, Supervisor& supervisor, Logger log);
  // Before start(); without it there is nothing to be said of releases. Both outlive this.
  void tell_of(UpdateCore& updates, Wakeup& wakeup) {
    updates_ = &updates;
    wakeup_ = &wakeup;
  }
  // Its component files that the agent leaves out: which, and why.
  void tell_of(std::vector<std::string> left_out) { left_out_ = std::move(left_out); }
  ~ControlServer();

  // Errors: those of net::UnixListener.
  Result<void> start(const std::filesystem::path& socket);
  asio::awaitable<void> stop();

 private:
  struct Connection;
  using Shared = std::shared_ptr<Connection>;

  asio::awaitable<void> accept();
  bool leave_an_idle_one();  // false: there is none
  asio::awaitable<void> serve(Shared connection);
  asio::awaitable<void> watch_end(Shared connection);

  void handle(const Shared& connection, std::string_view line);
  Result<void> list(const Shared& connection);
  Result<void> show(const Shared& connection, const JsonObject& request);
  Result<void> command(const Shared& connection, const JsonObject& request);
  Result<void> act(const Shared& connection, const JsonObject& request);
  Result<void> logs(const Shared& connection, const JsonObject& request);
  Result<void> update(const Shared& connection, const JsonObject& request);
  Result<void> journal(const Shared& connection, const JsonObject& request);
  void tell_journal(Connection& connection, std::string_view journal = {});
  // Errors: unavailable. Who has been left and has not even read so much makes room.
  Result<void> admit_follower(Connection& connection);
  // Errors: not_found (with what may have been meant), failed_precondition (the agent has no folder of it).
  Result<std::string> module_of(const JsonObject& request) const;
  // Also one that the agent only talks to.
  Result<std::string> connected_module_of(const JsonObject& request) const;

  asio::any_io_executor executor_;
  Supervisor& supervisor_;
  UpdateCore* updates_ = nullptr;
  Wakeup* wakeup_ = nullptr;
  std::vector<std::string> left_out_;
  Logger log_;
  TaskGroup tasks_;
  net::UnixListener listener_;
  std::vector<Shared> connections_;     // oldest first
  std::vector<Connection*> followers_;  // oldest first
};

}  // namespace starling::agent
