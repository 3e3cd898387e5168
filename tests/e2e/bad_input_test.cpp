// Whatever is sent: a clear error, nothing changed, the connection closed where it must be, the next client
// served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;

class BadInput : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder = new TemporaryFolder;
    hub = new HubProcess(folder->path());
    hub->start();
  }
  static void TearDownTestSuite() {
    EXPECT_EQ(hub->stop(), 0) << hub->log();
    delete hub;
    delete folder;
  }
  void SetUp() override { head_before_ = hub->head(); }
  // Nothing has changed, and the next client is served.
  void TearDown() override { EXPECT_EQ(hub->head(), head_before_); }

  static std::string head(const std::string& method, const std::string& path, std::size_t length) {
    return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + hub->admin_key() +
           "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
  }

  static TemporaryFolder* folder;
  static HubProcess* hub;

 private:
  std::int64_t head_before_ = 0;
};
TemporaryFolder* BadInput::folder = nullptr;
HubProcess* BadInput::hub = nullptr;

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') +
         std::string(static_cast<std::size_t>(depth), ']');
}

struct BadBody {
  const char* what;
  std::string body;
  const char* detail;  // part of the answer
};

TEST_F(BadInput, BodiesAreRefusedWithTheFieldsPath) {
  const std::vector<BadBody> cases = {
      {"malformed", R"({"values": )", "JSON"},
      {"not an object", R"([1,2])", "object"},
      {"wrong type", R"({"values": {"audio.volume": "loud"}})", "/values/audio.volume"},
      {"outside the schema", R"({"values": {"audio.volume": 1000}})", "/values/audio.volume"},
      {"unknown setting", R"({"values": {"audio.volum": 10}})", "audio.volume"},
      {"unknown field", R"({"value": {"audio.volume": 10}})", "value"},
      {"unknown target", R"({"values": {"audio.volume": 10}, "target": {"planet": "Mars"}})", "planet"},
      {"nested deeply", R"({"values": {"audio.volume": )" + nested(1000) + "}}", "deep"},
      {"invalid UTF-8", "{\"values\": {\"hotword.phrase\": \"\xff\xfe\"}}", "JSON"},
      {"a lone surrogate", R"({"values": {"hotword.phrase": "\ud800"}})", ""},
      {"a duplicate key", R"({"values": {"audio.volume": 1, "audio.volume": 2}})", ""},
      {"trailing bytes", R"({"values": {"audio.volume": 1}} x)", ""},
  };
  for (const auto& bad : cases) {
    Socket socket(hub->port());
    socket.send(head("PUT", "/api/v1/settings", bad.body.size()) + bad.body);
    const Reply reply = read_reply(socket);
    EXPECT_THAT(reply.status, AnyOf(Eq(400), Eq(422))) << bad.what << ": " << reply.body;
    EXPECT_EQ(reply.headers.at("content-type"), "application/problem+json") << bad.what;
    EXPECT_THAT(reply.body, HasSubstr(bad.detail)) << bad.what;
  }
}

TEST_F(BadInput, ABodyOf64MegabytesIsRefusedBeforeItIsRead) {
  Socket socket(hub->port());
  socket.send(head("PUT", "/api/v1/settings", 64u << 20));
  const std::string megabyte(1u << 20, ' ');
  for (int i = 0; i < 64 && socket.send(megabyte); ++i) {
  }
  // The connection is closed; if the reset did not overtake the answer, that says why.
  const std::string answer = socket.receive_all();
  EXPECT_THAT(answer, AnyOf(Eq(""), HasSubstr("413")));
}

TEST_F(BadInput, ABodyOf64MegabytesInChunksIsRefusedAsSoonAsItIsTooMuch) {
  Socket socket(hub->port());
  socket.send("PUT /api/v1/settings HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " +
              hub->admin_key() + "\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
  int sent = 0;
  while (sent < 1024 && socket.send(chunk))
    ++sent;
  const std::string answer = socket.receive_all();
  EXPECT_THAT(answer, AnyOf(Eq(""), HasSubstr("413")));
  // The same once more, and no byte more than needed: nothing is left unread that could reset the answer
  // away.
  Socket sparing(hub->port());
  sparing.send("PUT /api/v1/settings HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " +
               hub->admin_key() + "\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n");
  EXPECT_EQ(read_reply(sparing).status, 413);
  EXPECT_EQ(hub->ask("GET", "/api/v1/fleet").status, 200);
}

TEST_F(BadInput, RequestsThatAreNotHttpEndTheirConnection) {
  const std::vector<std::string> requests = {
      "\r\n\r\n\r\n\r\n",
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
      "GET / HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n",
      std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11) +
          std::string(500, '\0'),  // TLS to a plain port
  };
  for (const auto& request : requests) {
    Socket socket(hub->port());
    socket.send(request);
    const std::string answer = socket.receive_all();  // which ends only when the hub closes
    EXPECT_THAT(answer, AnyOf(Eq(""), HasSubstr("HTTP/1.1 4"), HasSubstr("HTTP/1.1 5")))
        << request.substr(0, 60);
  }
}

TEST_F(BadInput, HeadersThatTrickleInHoldNobodyUp) {
  std::vector<Socket> slow;
  for (int i = 0; i < 50; ++i) {
    slow.emplace_back(hub->port());
    slow.back().send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ");
  }
  EXPECT_EQ(hub->ask("GET", "/api/v1/fleet").status, 200);
  slow.front().send("a");
  EXPECT_THAT(slow.front().receive_all(), AnyOf(Eq(""), HasSubstr("408")));  // the header's time is up
}

TEST_F(BadInput, UnknownPathsMethodsAndParametersAreNamed) {
  EXPECT_EQ(hub->ask("GET", "/api/v1/nothing").status, 404);
  const Reply method = hub->ask("DELETE", "/api/v1/fleet");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.json().at("status"), Json(405));
  const Reply parameter = hub->ask("GET", "/api/v1/devices?colour=red");
  EXPECT_THAT(parameter.status, AnyOf(Eq(400), Eq(422)));
  EXPECT_THAT(parameter.body, HasSubstr("colour"));
  EXPECT_EQ(hub->ask("GET", "/api/v1/devices/..%2f..%2fetc%2fpasswd").status, 404);
}

TEST_F(BadInput, WithoutAGoodKeyNothingIsTold) {
  for (const std::string key : {"", "Bearer ", "Bearer sk_x_y", "Basic YTpi"}) {
    const Reply reply = http(hub->port(), {.path = "/api/v1/devices", .headers = {{"Authorization", key}}});
    EXPECT_EQ(reply.status, 401) << key;
    EXPECT_EQ(reply.headers.at("content-type"), "application/problem+json");
  }
}

}  // namespace
}  // namespace starling::e2e
