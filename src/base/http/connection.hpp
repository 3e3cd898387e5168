// Purpose: one HTTP connection of a server: requests in, responses out, until it ends or becomes a WebSocket
// or an event stream. Owner: its own coroutine, run(). Thread: the io_context's. Lifetime: until run() has
// ended. Inner header of base.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/intrusive/list_hook.hpp>
#include <string>

#include "base/clock.hpp"
#include "base/http/message_parser.hpp"
#include "base/http/server.hpp"
#include "base/net/loop_resources.hpp"
#include "base/net/read_buffer.hpp"
#include "base/net/socket_stream.hpp"

namespace starling::http {

namespace asio = boost::asio;

// What a connection needs of its server.
class ServerContext {
 public:
  ServerContext(net::LoopResources& its_loop, const Clock& its_clock, Logger its_log, Handler& its_handler,
                ServerOptions its_options, net::TlsContext its_tls)
      : loop(its_loop),
        clock(its_clock),
        log(its_log),
        handler(its_handler),
        options(std::move(its_options)),
        tls(std::move(its_tls)) {}
  virtual ~ServerContext() = default;
  virtual void adopt_websocket(net::SocketStream stream, std::string address,
                               std::unique_ptr<ws::Session> session, std::string received) = 0;
  virtual std::shared_ptr<EventStream> adopt_stream(net::SocketStream stream, bool chunked) = 0;

  net::LoopResources& loop;
  const Clock& clock;
  const Logger log;
  Handler& handler;
  const ServerOptions options;
  const net::TlsContext tls;  // null: plain
  Server::Counters count;
  bool stopping = false;
};

class Connection final
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  Connection(ServerContext& server, net::SocketStream stream, std::string address);
  ~Connection();

  asio::awaitable<void> run();
  // One timer of the server asks all its connections now and then: a timer for each would cost more than
  // what it guards.
  void check_deadline(SteadyTime now);
  void stop_soon();  // at once if no request is being answered, else after the answer

 private:
  enum class Phase : std::uint8_t { handshake, idle, head, body, serving, writing, lingering };
  enum class Step : std::uint8_t { ready, refused, ended };
  using Wait = net::SocketStream::Descriptor::wait_type;

  asio::awaitable<Step> shake_hands();
  asio::awaitable<Step> read_request();
  Step parse();
  bool begin_body();
  bool take_body();
  asio::awaitable<Step> receive();
  asio::awaitable<bool> wait(Wait what);
  asio::awaitable<bool> answer();
  asio::awaitable<Response> serve();
  asio::awaitable<bool> upgrade();
  asio::awaitable<bool> open_websocket(std::unique_ptr<ws::Session> session);
  asio::awaitable<bool> open_stream(Response response);
  asio::awaitable<bool> write_response(const Response& response);
  asio::awaitable<bool> write_file(const FileBody& body);
  asio::awaitable<bool> write_out();
  asio::awaitable<void> refuse();
  asio::awaitable<void> linger();
  void enter(Phase phase, Milliseconds limit);
  Refusal timeout_refusal() const;

  ServerContext& server_;
  net::SocketStream stream_;
  std::string address_;
  net::ReadBuffer received_;
  std::string out_;
  RequestParser parser_;
  Response refusal_;
  SteadyTime deadline_ = SteadyTime::max();
  int reads_in_turn_ = 0;  // without a wait between them
  Phase phase_ = Phase::idle;
  bool expired_ = false;
  bool may_read_ = false;  // without waiting first
  bool keep_alive_ = true;
};

}  // namespace starling::http
