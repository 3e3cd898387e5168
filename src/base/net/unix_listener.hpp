// Purpose: a Unix stream socket that only its own user may connect to.
// Owner: the server that accepts. Thread: the io_context's. Lifetime: the file goes with it.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <optional>

#include "base/result.hpp"
#include "base/task_group.hpp"

namespace starling::net {

class UnixListener {
 public:
  using Socket = asio::local::stream_protocol::socket;

  explicit UnixListener(const asio::any_io_executor& executor) : acceptor_(executor) {}
  ~UnixListener() { close(); }

  // Replaces what a former start left: nobody else serves this path.
  // Errors: invalid_argument (the path is too long for a socket), io.
  Result<void> listen(const std::filesystem::path& socket);
  // Errors of accepting (out of descriptors, most likely) are waited out. nullopt: it is being stopped.
  asio::awaitable<std::optional<Socket>> accept(Logger log);
  void close();

 private:
  asio::local::stream_protocol::acceptor acceptor_;
  std::filesystem::path path_;  // empty: not listening
};

}  // namespace starling::net
