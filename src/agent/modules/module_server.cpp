#include "agent/modules/module_server.hpp"

#include <sys/socket.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "base/tuple_awaitable.hpp"

namespace starling::agent {

using Local = asio::local::stream_protocol;

struct ModuleServer::Connection {
  explicit Connection(Local::socket accepted) : socket(std::move(accepted)) {}
  Local::socket socket;
  ModuleId id{};
  std::string received;
  std::string unsent;
  bool writing = false;
  bool dropped = false;  // by the core: nothing more is heard from it
};

ModuleServer::ModuleServer(const asio::any_io_executor& executor, Wakeup& wakeup, Logger log)
    : wakeup_(wakeup), log_(log), tasks_(executor, log), listener_(executor) {}

ModuleServer::~ModuleServer() = default;

Result<void> ModuleServer::start(const std::filesystem::path& socket, ModuleCore& core) {
  core_ = &core;
  if (auto listening = listener_.listen(socket); !listening) return listening;
  tasks_.start("module listener", accept());
  return {};
}

asio::awaitable<void> ModuleServer::stop() {
  co_await tasks_.stop();
  connections_.clear();
  listener_.close();
}

asio::awaitable<void> ModuleServer::accept() {
  while (true) {
    auto socket = co_await listener_.accept(log_);
    if (!socket) co_return;
    ucred peer{};
    socklen_t size = sizeof(peer);
    ::getsockopt(socket->native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
    const auto id = core_->opened(peer.pid);
    if (!id) {
      log_.warning("a module is turned away", {{"why", id.error().message}});
      continue;
    }
    auto connection = std::make_shared<Connection>(std::move(*socket));
    connection->id = *id;
    connections_.emplace(*id, connection);
    tasks_.start("module reader", read(connection));
  }
}

asio::awaitable<void> ModuleServer::read(std::shared_ptr<Connection> connection) {
  std::array<char, 4096> chunk{};
  while (!connection->dropped) {
    const auto [error, count] =
        co_await connection->socket.async_read_some(asio::buffer(chunk), tuple_awaitable);
    if (error) break;
    connection->received.append(chunk.data(), count);
    lines_from(*connection);
    wakeup_.deadlines_changed();
  }
  if (connections_.erase(connection->id) > 0) core_->closed(connection->id);
  wakeup_.deadlines_changed();
}

void ModuleServer::lines_from(Connection& connection) {
  std::size_t start = 0;
  while (!connection.dropped) {
    const std::size_t end = connection.received.find('\n', start);
    if (end == std::string::npos) break;
    const std::string_view line = std::string_view(connection.received).substr(start, end - start);
    start = end + 1;
    if (line.size() > protocol::module::max_line_bytes) {
      core_->too_long(connection.id);
    } else if (!line.empty()) {
      core_->line(connection.id, line);
    }
  }
  connection.received.erase(0, start);
  if (!connection.dropped && connection.received.size() > protocol::module::max_line_bytes) {
    core_->too_long(connection.id);
  }
}

void ModuleServer::send_line(ModuleId module, std::string_view line) {
  const auto found = connections_.find(module);
  if (found == connections_.end()) return;
  const std::shared_ptr<Connection>& connection = found->second;
  connection->unsent.append(line).push_back('\n');
  if (connection->unsent.size() > max_unsent_bytes) {
    // Its reader ends with the socket, and tells the core.
    log_.warning("a module does not read what it is sent and is dropped");
    boost::system::error_code ignored;
    connection->socket.close(ignored);
    return;
  }
  if (connection->writing) return;
  connection->writing = true;
  tasks_.start("module writer", write(connection));
}

asio::awaitable<void> ModuleServer::write(std::shared_ptr<Connection> connection) {
  while (!connection->unsent.empty()) {
    const std::string sending = std::exchange(connection->unsent, {});
    const auto [error, count] =
        co_await asio::async_write(connection->socket, asio::buffer(sending), tuple_awaitable);
    if (error) break;
  }
  connection->writing = false;
  boost::system::error_code ignored;
  if (connection->dropped) connection->socket.close(ignored);
}

void ModuleServer::drop(ModuleId module) {
  const auto found = connections_.find(module);
  if (found == connections_.end()) return;
  const std::shared_ptr<Connection> connection = found->second;
  connections_.erase(found);
  connection->dropped = true;
  boost::system::error_code ignored;
  if (!connection->writing) connection->socket.close(ignored);
}

}  // namespace starling::agent
