// The same fan-out as epoll_reference, on the hub's own HTTP and WebSocket server with nothing behind it:
// what lies between the two is the price of the protocol done right, what lies between this and the hub that
// of the hub's work.
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <unordered_set>

#include "base/http/server.hpp"
#include "base/tls.hpp"

namespace starling::bench {
namespace {

class FanoutHandler final : public http::Handler {
 public:
  boost::asio::awaitable<http::Response> serve(const http::Request&) override {
    http::Response response;
    response.body = "{}";
    co_return response;
  }

  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request& request) override {
    if (request.path == "/control") return std::make_unique<Control>(*this);
    return std::make_unique<Device>(*this);
  }

 private:
  struct Device final : ws::Session {
    explicit Device(FanoutHandler& h) : handler(h) {}
    void on_open(ws::Peer& peer) override { handler.devices_.insert(&peer), mine = &peer; }
    void on_text(std::string_view) override { handler.answered(); }
    void on_close(ws::CloseCode, std::string_view) override { handler.devices_.erase(mine); }
    FanoutHandler& handler;
    ws::Peer* mine = nullptr;
  };

  struct Control final : ws::Session {
    explicit Control(FanoutHandler& h) : handler(h) {}
    void on_open(ws::Peer& peer) override { handler.control_ = &peer; }
    void on_text(std::string_view text) override { handler.broadcast(text); }
    void on_close(ws::CloseCode, std::string_view) override { handler.control_ = nullptr; }
    FanoutHandler& handler;
  };

  void broadcast(std::string_view text) {
    waiting_ = devices_.size();
    const auto frame = ws::make_text_frame(text);
    for (auto* device : devices_)
      device->send(frame);
  }

  void answered() {
    if (waiting_ > 0 && --waiting_ == 0 && control_ != nullptr) control_->send_text("done");
  }

  std::unordered_set<ws::Peer*> devices_;
  ws::Peer* control_ = nullptr;
  std::size_t waiting_ = 0;
};

int run(std::uint16_t port, bool tls) {
  boost::asio::io_context context(1);
  const SystemClock clock;
  FanoutHandler handler;
  http::ServerOptions options;
  options.port = port;
  if (tls) options.tls = make_self_signed_identity("127.0.0.1");
  auto server = http::Server::listen(context.get_executor(), clock, Logger(), handler, std::move(options));
  if (!server) {
    std::fprintf(stderr, "base_reference: %s\n", server.error().message.c_str());
    return 1;
  }
  (*server)->start();
  context.run();
  return 0;
}

}  // namespace
}  // namespace starling::bench

int main(int count, char** arguments) {
  if (count < 2) {
    std::fputs("usage: base_reference PORT [tls]\n", stderr);
    return 2;
  }
  return starling::bench::run(static_cast<std::uint16_t>(std::strtoul(arguments[1], nullptr, 10)), count > 2);
}
