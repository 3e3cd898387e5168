// Purpose: a connection on which the server sends events until one end has enough (WHATWG HTML, section 9.2).
// Owner: itself, through the wait that it has pending, and the handler. Thread: the io_context's. Lifetime:
// after its connection has ended it stays as a stream that is closed.
// Inner header of base.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/http/message.hpp"
#include "base/net/loop_resources.hpp"
#include "base/net/socket_stream.hpp"

namespace starling::http {

namespace asio = boost::asio;

class EventStreamConnection final
    : public EventStream,
      public std::enable_shared_from_this<EventStreamConnection>,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  // `open` counts the connection as long as it is open.
  EventStreamConnection(net::LoopResources& loop, net::SocketStream stream, bool chunked,
                        std::uint64_t& open);
  ~EventStreamConnection() override;
  void start() { wait_readable(); }
  void drop();  // now, with whatever is unsent

  void send(std::string_view event, std::string_view id, std::string_view data) override;
  void send_comment(std::string_view text) override;
  void close() override;
  bool closed() const override { return open_ == nullptr || closing_; }
  std::size_t queued_bytes() const override { return pending_.size() - sent_; }
  void on_drained(std::function<void()> call) override { drained_ = std::move(call); }

 private:
  struct ReadReady;
  struct WriteReady;
  void wait_readable();
  void wait_writable();
  void on_readable();
  void on_writable();
  void append(std::string_view bytes);
  void flush();

  net::LoopResources& loop_;
  net::SocketStream stream_;
  std::uint64_t* open_;  // null once the connection has ended
  std::string pending_;
  std::size_t sent_ = 0;  // of pending_
  std::function<void()> drained_;
  std::unique_ptr<asio::steady_timer> close_timer_;
  bool chunked_;
  bool closing_ = false;
  bool waits_writable_ = false;
};

}  // namespace starling::http
