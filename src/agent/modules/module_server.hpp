// Purpose: the Unix socket on which modules talk to the agent, as JSON lines.
// Owner: Agent. Thread: the io_context's. Lifetime: stop() completes before destruction.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "agent/modules/module_core.hpp"
#include "agent/wakeup.hpp"
#include "base/net/unix_listener.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

class ModuleServer final : public ModuleOutput {
 public:
  // A module that does not read is dropped when this much waits for it.
  static constexpr std::size_t max_unsent_bytes = 1u << 20;

  ModuleServer(const asio::any_io_executor& executor, Wakeup& wakeup, Logger log);
  ~ModuleServer() override;

  // Makes the socket with mode 0600, replacing what a former start left. `core` outlives this.
  // Errors: invalid_argument (the path is too long for a socket), io.
  Result<void> start(const std::filesystem::path& socket, ModuleCore& core);
  asio::awaitable<void> stop();

  void send_line(ModuleId module, std::string_view line) override;
  void drop(ModuleId module) override;

 private:
  struct Connection;
  asio::awaitable<void> accept();
  asio::awaitable<void> read(std::shared_ptr<Connection> connection);
  asio::awaitable<void> write(std::shared_ptr<Connection> connection);
  void lines_from(Connection& connection);

  Wakeup& wakeup_;
  Logger log_;
  TaskGroup tasks_;
  ModuleCore* core_ = nullptr;
  net::UnixListener listener_;
  std::map<ModuleId, std::shared_ptr<Connection>> connections_;
};

}  // namespace starling::agent
