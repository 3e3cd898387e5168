// WebSocket connections over real sockets: the server against raw bytes, then both ends against each other,
// plain and under TLS.
#include "base/ws/websocket.hpp"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <vector>

#include "base/test_server.hpp"
#include "base/ws/codec.hpp"

namespace starling::ws {
namespace {

namespace asio = boost::asio;
using test::RawClient;
using test::TestServer;

constexpr MaskKey mask_key{1, 2, 3, 4};

std::string upgrade(std::string_view target, std::string_view extra = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n" +
         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + std::string(extra) + "\r\n";
}

std::string masked(Opcode opcode, std::string_view payload) {
  return encode_frame(opcode, payload, mask_key);
}
std::string plain(Opcode opcode, std::string_view payload) {
  return encode_frame(opcode, payload, std::nullopt);
}
std::string closing(CloseCode code, std::string_view reason) {
  return encode_close(code, reason, std::nullopt);
}

// --- the server against raw bytes

TEST(WebSocketServer, AnswersTheHandshakeOfTheRfc) {
  TestServer server;
  RawClient client(server.port);
  client.send(upgrade("/ws"));
  EXPECT_EQ(client.read_until("\r\n\r\n"),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
  client.send(masked(Opcode::text, "hello"));
  EXPECT_EQ(client.read_bytes(7), plain(Opcode::text, "hello"));
  EXPECT_EQ(server.counters().websockets, 1u);
}

TEST(WebSocketServer, TakesFramesThatCameWithTheHandshake) {
  TestServer server;
  RawClient client(server.port);
  client.send(upgrade("/ws") + masked(Opcode::text, "early") + masked(Opcode::text, "bird"));
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_bytes(13), plain(Opcode::text, "early") + plain(Opcode::text, "bird"));
}

struct BadHandshake {
  const char* name;
  std::string request;
  std::string answer;  // its beginning
};

TEST(WebSocketServer, RefusesBadHandshakes) {
  const std::string upgraded = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
  const std::string with_key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const BadHandshake cases[] = {
      {"another version", "GET /ws HTTP/1.1\r\n" + upgraded + with_key + "Sec-WebSocket-Version: 8\r\n\r\n",
       "HTTP/1.1 426 "},
      {"no version", "GET /ws HTTP/1.1\r\n" + upgraded + with_key + "\r\n", "HTTP/1.1 426 "},
      {"no key", "GET /ws HTTP/1.1\r\n" + upgraded + "Sec-WebSocket-Version: 13\r\n\r\n", "HTTP/1.1 400 "},
      {"short key",
       "GET /ws HTTP/1.1\r\n" + upgraded + "Sec-WebSocket-Key: c2hvcnQ=\r\nSec-WebSocket-Version: 13\r\n\r\n",
       "HTTP/1.1 400 "},
      {"post",
       "POST /ws HTTP/1.1\r\n" + upgraded + with_key +
           "Content-Length: 0\r\nSec-WebSocket-Version: 13\r\n\r\n",
       "HTTP/1.1 400 "},
      {"refused by the handler", upgrade("/forbidden"), "HTTP/1.1 403 "},
      {"no upgrade at all", "GET /hello HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
       "HTTP/1.1 200 "},
  };
  TestServer server;
  RawClient client(server.port);  // goes on as an HTTP connection
  for (const BadHandshake& bad : cases) {
    SCOPED_TRACE(bad.name);
    client.send(bad.request);
    const std::string head = client.read_until("\r\n\r\n");
    EXPECT_TRUE(head.starts_with(bad.answer)) << head;
    const std::size_t length = head.find("Content-Length: ");
    ASSERT_NE(length, head.npos);
    client.read_bytes(std::stoul(head.substr(length + 16)));
  }
  EXPECT_EQ(server.counters().websockets, 0u);
}

struct Exchange {
  const char* name;
  std::string sent;
  std::string answered;  // until the server ends the connection
  CloseCode told;        // to the session
};

// After the close frame the server ends the TCP connection.
TEST(WebSocketServer, EndsAsTheRfcDemands) {
  const Exchange cases[] = {
      {"close is answered", masked(Opcode::close, "\x03\xe8 bye"), closing(CloseCode::normal, ""),
       CloseCode::normal},
      {"close without code", masked(Opcode::close, ""), plain(Opcode::close, ""), CloseCode::no_status},
      {"ping is answered before",
       masked(Opcode::ping, "p") + encode_close(CloseCode::going_away, "", mask_key),
       plain(Opcode::pong, "p") + closing(CloseCode::going_away, ""), CloseCode::going_away},
      {"nothing after close counts",
       encode_close(CloseCode::normal, "", mask_key) + masked(Opcode::text, "late"),
       closing(CloseCode::normal, ""), CloseCode::normal},
      {"not masked", plain(Opcode::text, "x"),
       closing(CloseCode::protocol_error, "a client's frame is not masked"), CloseCode::protocol_error},
      {"binary unasked", masked(Opcode::binary, "x"),
       closing(CloseCode::unsupported_data, "binary messages are not taken"), CloseCode::unsupported_data},
      {"not UTF-8", masked(Opcode::text, "\xff"),
       closing(CloseCode::invalid_payload, "a text message is not UTF-8"), CloseCode::invalid_payload},
      {"too large", masked(Opcode::text, std::string(300'000, 'x')),
       closing(CloseCode::message_too_big, "a message is larger than is taken"), CloseCode::message_too_big},
      {"session closes",
       masked(Opcode::text, "close, please") + encode_close(CloseCode::superseded, "", mask_key),
       closing(CloseCode::superseded, "as you wish"), CloseCode::superseded},
      {"session aborts", masked(Opcode::text, "abort, please"), "", CloseCode::abnormal},
  };
  TestServer server;
  for (const Exchange& exchange : cases) {
    SCOPED_TRACE(exchange.name);
    const auto ended = std::make_shared<std::promise<CloseCode>>();
    server.on_loop([&] { server.handler.ended = ended; });
    RawClient client(server.port);
    client.send(upgrade("/ws"));
    client.read_until("\r\n\r\n");
    client.send(exchange.sent);
    EXPECT_EQ(client.read_all(), exchange.answered);
    client.end_writing();
    EXPECT_EQ(ended->get_future().get(), exchange.told);
  }
  while (server.counters().open > 0)
    std::this_thread::yield();
}

TEST(WebSocketServer, ACloseThatIsNotAnsweredEndsAnyway) {
  TestServer server;
  RawClient client(server.port);
  client.send(upgrade("/ws"));
  client.read_until("\r\n\r\n");
  client.send(masked(Opcode::text, "close, please"));
  EXPECT_EQ(client.read_all(), closing(CloseCode::superseded, "as you wish"));
}

TEST(WebSocketServer, ALostConnectionIsAbnormal) {
  TestServer server;
  const auto ended = std::make_shared<std::promise<CloseCode>>();
  server.handler.ended = ended;
  {
    RawClient client(server.port);
    client.send(upgrade("/ws"));
    client.read_until("\r\n\r\n");
  }
  EXPECT_EQ(ended->get_future().get(), CloseCode::abnormal);
}

TEST(WebSocketServer, PingsAndBinaryReachTheSession) {
  TestServer server;
  RawClient client(server.port);
  client.send(upgrade("/binary"));
  client.read_until("\r\n\r\n");
  client.send(masked(Opcode::binary, std::string(1000, '\xff')));
  EXPECT_EQ(client.read_bytes(6), plain(Opcode::text, "1000"));
  client.send(masked(Opcode::text, "ping, please"));
  EXPECT_EQ(client.read_bytes(2), plain(Opcode::ping, ""));
  client.send(masked(Opcode::pong, ""));
  EXPECT_EQ(client.read_bytes(11), plain(Opcode::text, "pong came"));
}

// A client that does not read: everything queues, nothing is lost, on_drained tells the end of it.
struct FloodSession final : Session {
  FloodSession(std::size_t& queued_out, int& drained_out) : queued(queued_out), drained(drained_out) {}
  void on_open(Peer& peer) override {
    const SharedFrame frame = make_text_frame(std::string(9'996, 'f'));  // 10,000 bytes with its header
    for (int i = 0; i < 2000; ++i)
      peer.send(frame);
    queued = peer.queued_bytes();
  }
  void on_text(std::string_view) override {}
  void on_drained() override { ++drained; }
  void on_close(CloseCode, std::string_view) override {}
  std::size_t& queued;
  int& drained;
};

// It goes on sending to a client that never reads: that client's connection ends.
struct DeafSession final : Session {
  explicit DeafSession(std::promise<std::string>& told) : ended(told) {}
  void on_open(Peer& peer) override {
    const SharedFrame frame = make_text_frame(std::string(100'000, 'f'));
    for (int i = 0; i < 1'000; ++i) {
      peer.send(frame);
      most_queued = std::max(most_queued, peer.queued_bytes());
    }
    EXPECT_LE(most_queued, 3u << 20);
  }
  void on_text(std::string_view) override {}
  void on_close(CloseCode code, std::string_view reason) override {
    EXPECT_EQ(code, CloseCode::abnormal);
    ended.set_value(std::string(reason));
  }
  std::promise<std::string>& ended;
  std::size_t most_queued = 0;
};

TEST(WebSocketServer, WhoNeverReadsIsCutOff) {
  TestServer server;
  std::promise<std::string> ended;
  server.handler.make_session = [&] { return std::make_unique<DeafSession>(ended); };
  RawClient client(server.port);
  client.send(upgrade("/ws"));
  EXPECT_EQ(ended.get_future().get(), "the other end does not read what it is sent");
}

TEST(WebSocketServer, ASlowReaderGetsEverythingInOrder) {
  http::ServerOptions options;
  options.ws.max_queued_bytes = 32u << 20;
  TestServer server(std::move(options));
  std::size_t queued = 0;
  int drained = 0;
  server.handler.make_session = [&] { return std::make_unique<FloodSession>(queued, drained); };
  RawClient client(server.port);
  client.send(upgrade("/ws"));
  client.read_until("\r\n\r\n");
  EXPECT_GT(server.on_loop([&] { return queued; }), 1'000'000u);
  EXPECT_EQ(server.on_loop([&] { return drained; }), 0);
  std::string bytes = client.read_bytes(20'000'000);
  ASSERT_EQ(bytes.size(), 20'000'000u);
  Decoder decoder(Role::client, 10'000);
  std::span<char> input(bytes);
  for (int i = 0; i < 2000; ++i)
    ASSERT_EQ(decoder.next(input).payload.size(), 9'996u);
  EXPECT_EQ(server.on_loop([&] { return drained; }), 1);
}

// --- both ends

class ClientSession final : public Session {
 public:
  struct Record {
    std::vector<std::string> texts;
    int pings = 0;
    CloseCode code = CloseCode::no_status;
    std::promise<void> opened;
    Peer* peer = nullptr;
  };
  ClientSession(std::shared_ptr<Record> record, std::vector<std::string> to_send)
      : record_(std::move(record)), to_send_(std::move(to_send)) {}

  void on_open(Peer& peer) override {
    record_->peer = &peer;
    for (const std::string& text : to_send_)
      peer.send_text(text);
    record_->opened.set_value();
  }
  void on_text(std::string_view text) override {
    record_->texts.emplace_back(text);
    if (record_->texts.size() == to_send_.size()) record_->peer->close(CloseCode::normal, "done");
  }
  void on_ping() override { ++record_->pings; }
  void on_close(CloseCode code, std::string_view) override { record_->code = code; }

 private:
  std::shared_ptr<Record> record_;
  std::vector<std::string> to_send_;
};

class WebSocketClient : public testing::TestWithParam<bool> {
 protected:
  WebSocketClient() {
    http::ServerOptions options;
    if (GetParam()) options.tls = identity_;
    server_.emplace(std::move(options));
    if (GetParam()) trust_.pins = {pin_of_certificate(identity_.certificate_pem).value()};
  }
  Result<void> connect(std::string_view target, std::vector<std::string> texts, http::TlsTrust trust) {
    ConnectOptions options;
    options.trust = std::move(trust);
    return server_->run(run_client(server_->url(target, GetParam()), std::move(options),
                                   std::make_unique<ClientSession>(record_, std::move(texts))));
  }

  http::TlsIdentity identity_ = make_self_signed_identity("localhost");
  std::optional<TestServer> server_;
  http::TlsTrust trust_;
  std::shared_ptr<ClientSession::Record> record_ = std::make_shared<ClientSession::Record>();
};

TEST_P(WebSocketClient, TextsOfAllSizesComeBack) {
  const std::vector<std::string> texts = {"a",
                                          std::string(125, 'b'),
                                          std::string(126, 'c'),
                                          std::string(65'535, 'd'),
                                          std::string(65'536, 'e'),
                                          std::string(256 * 1024, 'f'),
                                          ""};
  ASSERT_TRUE(connect("/ws", texts, trust_));
  EXPECT_EQ(record_->texts, texts);
  EXPECT_EQ(record_->code, CloseCode::normal);
  while (server_->counters().open > 0)
    std::this_thread::yield();
}

TEST_P(WebSocketClient, ThePeersCloseIsTold) {
  ASSERT_TRUE(connect("/ws", {"close, please"}, trust_));
  EXPECT_EQ(record_->code, CloseCode::superseded);
}

TEST_P(WebSocketClient, ThePeersAbortIsTold) {
  ASSERT_TRUE(connect("/ws", {"abort, please"}, trust_));
  EXPECT_EQ(record_->code, CloseCode::abnormal);
}

TEST_P(WebSocketClient, ARefusalIsAnError) {
  const Result<void> refused = connect("/forbidden", {}, trust_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
  EXPECT_NE(refused.error().message.find("not you"), std::string::npos) << refused.error().message;
  EXPECT_EQ(record_->peer, nullptr);
}

TEST_P(WebSocketClient, AnotherCertificateIsRefused) {
  if (!GetParam()) return;
  const http::TlsTrust other{.pins = {pin_of_private_key(make_private_key_pem()).value()}};
  EXPECT_EQ(connect("/ws", {}, other).error().code, ErrorCode::permission_denied);
  EXPECT_EQ(connect("/ws", {}, {}).error().code, ErrorCode::permission_denied);  // no authority signed it
  http::TlsTrust backup = other;
  backup.pins.push_back(trust_.pins.front());
  EXPECT_TRUE(connect("/ws", {"x"}, backup));
}

// Many small frames lie in one read of the socket; under TLS they are taken out of it one by one.
TEST_P(WebSocketClient, NothingStaysBehindInTheStream) {
  struct ManySession final : Session {
    void on_open(Peer& peer) override {
      for (int i = 0; i < 2000; ++i)
        peer.send_text("a small frame");
    }
    void on_text(std::string_view) override {}
    void on_close(CloseCode, std::string_view) override {}
  };
  server_->on_loop(
      [this] { server_->handler.make_session = [] { return std::make_unique<ManySession>(); }; });
  struct CountingSession final : Session {
    void on_open(Peer& opened) override { peer = &opened; }
    void on_text(std::string_view) override {
      if (++count == 2000) peer->close(CloseCode::normal, "");
    }
    void on_close(CloseCode, std::string_view) override {}
    Peer* peer = nullptr;
    int count = 0;
  };
  ConnectOptions options;
  options.trust = trust_;
  EXPECT_TRUE(server_->run(
      run_client(server_->url("/ws", GetParam()), std::move(options), std::make_unique<CountingSession>())));
}

// A hub speaks first: its message often lies in the same segment as the end of the handshake.
TEST_P(WebSocketClient, HearsWhatCameWithTheHandshake) {
  struct GreetingSession final : Session {
    void on_open(Peer& peer) override { peer.send_text("hello"); }
    void on_text(std::string_view) override {}
    void on_close(CloseCode, std::string_view) override {}
  };
  struct LeavingSession final : Session {
    void on_open(Peer& opened) override { peer = &opened; }
    void on_text(std::string_view) override { peer->close(CloseCode::normal, ""); }
    void on_close(CloseCode, std::string_view) override {}
    Peer* peer = nullptr;
  };
  server_->on_loop(
      [this] { server_->handler.make_session = [] { return std::make_unique<GreetingSession>(); }; });
  for (int i = 0; i < 20; ++i) {
    ConnectOptions options;
    options.trust = trust_;
    EXPECT_TRUE(server_->run(
        run_client(server_->url("/ws", GetParam()), std::move(options), std::make_unique<LeavingSession>())));
  }
}

TEST_P(WebSocketClient, CancellationCloses) {
  const auto ended = std::make_shared<std::promise<CloseCode>>();
  server_->on_loop([&] { server_->handler.ended = ended; });
  ConnectOptions options;
  options.trust = trust_;
  asio::cancellation_signal cancel;
  std::promise<void> finished;
  asio::co_spawn(
      server_->context(),
      run_client(server_->url("/ws", GetParam()), std::move(options),
                 std::make_unique<ClientSession>(record_, std::vector<std::string>{})),
      asio::bind_cancellation_slot(
          cancel.slot(), [&](const std::exception_ptr&, const Result<void>&) { finished.set_value(); }));
  record_->opened.get_future().wait();
  server_->on_loop([&] { cancel.emit(asio::cancellation_type::terminal); });
  finished.get_future().wait();
  EXPECT_EQ(record_->code, CloseCode::going_away);
  EXPECT_EQ(ended->get_future().get(), CloseCode::going_away);
}

TEST_P(WebSocketClient, AStoppingServerSaysGoingAway) {
  ConnectOptions options;
  options.trust = trust_;
  std::future<Result<void>> finished =
      asio::co_spawn(server_->context(),
                     run_client(server_->url("/ws", GetParam()), std::move(options),
                                std::make_unique<ClientSession>(record_, std::vector<std::string>{})),
                     asio::use_future);
  record_->opened.get_future().wait();
  server_->stop();
  EXPECT_TRUE(finished.get());
  EXPECT_EQ(record_->code, CloseCode::going_away);
  EXPECT_EQ(server_->counters().open, 0u);
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, WebSocketClient, testing::Bool(),
                         [](const auto& tls) { return tls.param ? "Tls" : "Plain"; });

TEST(WebSocketClientConnect, FailuresSayWhatAndWhere) {
  TestServer server;
  const auto connect = [&server](http::Url url, ConnectOptions options) {
    return server
        .run(run_client(std::move(url), std::move(options),
                        std::make_unique<ClientSession>(std::make_shared<ClientSession::Record>(),
                                                        std::vector<std::string>{})))
        .error();
  };
  EXPECT_EQ(connect({.host = "127.0.0.1", .port = 1}, {}).code, ErrorCode::unavailable);
  EXPECT_EQ(connect({.host = "name.invalid", .port = 1}, {}).code, ErrorCode::unavailable);
  EXPECT_EQ(connect(server.url("/hello", true), {}).code, ErrorCode::unavailable);  // TLS to a plain port
  EXPECT_EQ(connect(server.url("/ws", true),
                    {.headers = {}, .trust = {.pins = {"no pin"}}, .limits = {}, .source_address = {}})
                .code,
            ErrorCode::permission_denied);
  const Error silent = connect(server.url("/never"),
                               {.headers = {}, .trust = {}, .limits = {}, .source_address = "192.0.2.1"});
  EXPECT_NE(silent.message.find("binding to 192.0.2.1"), std::string::npos) << silent.message;
}

TEST(WebSocketClientConnect, UsesTheSourceAddress) {
  TestServer server;
  const auto record = std::make_shared<ClientSession::Record>();
  struct AddressSession final : Session {
    void on_open(Peer& peer) override { peer.send_text(peer.address()); }
    void on_text(std::string_view) override {}
    void on_close(CloseCode, std::string_view) override {}
  };
  server.handler.make_session = [] { return std::make_unique<AddressSession>(); };
  ConnectOptions options;
  options.source_address = "127.0.0.77";
  ASSERT_TRUE(server.run(run_client(server.url("/ws"), std::move(options),
                                    std::make_unique<ClientSession>(record, std::vector<std::string>{"x"}))));
  EXPECT_EQ(record->texts, std::vector<std::string>{"127.0.0.77"});
}

}  // namespace
}  // namespace starling::ws
