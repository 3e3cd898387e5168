// Purpose: a WebSocket connection after its handshake, the same for both ends.
// Owner: itself, through the wait that it has pending; its Owner hears when it has ended. Thread: the
// io_context's. Lifetime: from start() until after on_close.
//
// Callbacks instead of a coroutine: ten thousand of these are idle at any time, and a suspended frame would
// be most of what such a connection needs. Inner header of base.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/net/loop_resources.hpp"
#include "base/net/socket_stream.hpp"
#include "base/ws/codec.hpp"
#include "base/ws/websocket.hpp"

namespace starling::ws {

namespace asio = boost::asio;

class Connection final
    : public Peer,
      public std::enable_shared_from_this<Connection>,
      public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void connection_ended(Connection& connection) = 0;  // after on_close
  };

  Connection(net::LoopResources& loop, net::SocketStream stream, Role role, Limits limits,
             std::string address, std::unique_ptr<Session> session, Owner& owner);

  // Opens the session and takes `received`: what came behind the handshake.
  void start(std::string received);
  // Ends at once; not from within a Session's call.
  void end_now(CloseCode code, std::string_view reason);

  void send(SharedFrame frame) override;
  void send_text(std::string_view text) override;
  void ping() override;
  void close(CloseCode code, std::string_view reason) override;
  void abort() override;
  std::size_t queued_bytes() const override { return queued_bytes_; }
  std::string_view address() const override { return address_; }

 private:
  enum class State : std::uint8_t {
    open,
    closing,     // our close frame is sent or queued, the answer is not here
    answering,   // both close frames are sent or queued: ends when ours has left
    discarding,  // nothing that comes matters any more: ends when the other end does
    ending,      // end_now() is on its way
    ended,
  };
  struct ReadReady;
  struct WriteReady;

  void wait_readable();
  void wait_writable();
  void on_readable();
  void on_writable();
  void consume(std::span<char> input);
  void take(const Decoder::Event& event);
  void take_close(const Decoder::Event& event);
  void refuse(CloseCode code, std::string_view what);

  void enqueue(SharedFrame frame);
  bool flush();
  void after_flush();
  void note_end(CloseCode code, std::string_view reason);
  void end_soon();
  void limit_closing();
  std::optional<MaskKey> mask() const;
  void send_own(Opcode opcode, std::string_view payload);
  void send_close(CloseCode code, std::string_view reason);

  net::LoopResources& loop_;
  Owner& owner_;
  std::unique_ptr<Session> session_;
  net::SocketStream stream_;
  std::vector<SharedFrame> queue_;  // what the socket would not take; without heap when empty
  std::size_t queue_front_ = 0;     // frames of it that have left
  std::size_t front_sent_ = 0;      // bytes of the first of the others that have left
  std::size_t queued_bytes_ = 0;
  std::size_t max_queued_bytes_;
  std::unique_ptr<asio::steady_timer> close_timer_;
  std::string address_;
  std::string end_reason_;
  Decoder decoder_;
  CloseCode end_code_ = CloseCode::abnormal;
  State state_ = State::open;
  bool end_noted_ = false;
  bool waits_writable_ = false;
  Role role_;
};

}  // namespace starling::ws
