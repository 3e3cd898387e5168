#include "base/crypto.hpp"
#include "hub/api/api_fixture.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {
namespace {

class LinkDoor : public ApiTest {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  // 101, or the status of the refusal.
  int open(const std::string& path, const Headers& headers) {
    http::Request request;
    request.target = request.path = path;
    request.peer_address = "192.0.2.1";
    for (const auto& [name, value] : headers)
      request.headers.add(name, value);
    auto answer = api->upgrade(request);
    const auto* refusal = std::get_if<http::Response>(&answer);
    return refusal == nullptr ? 101 : refusal->status;
  }
  // Gives the token.
  std::string enrol_with_key(int number) {
    const auto made =
        post("/api/v1/devices/register", R"({"device_uuid":")" + uuid(number) + R"(","public_key":")" +
                                             base64url_encode(make_ed25519_key_pair().public_key) + "\"}");
    EXPECT_EQ(made.status, 201) << made.response.body;
    return made.text("/token");
  }
  static std::pair<std::string, std::string> bearer(const std::string& text) {
    return {"Authorization", "Bearer " + text};
  }
};

TEST_F(LinkDoor, OpensForWhoMayBeADevice) {
  const std::string plain = enrol(1, "plain");
  const std::string signing = uuid(2);
  const std::string token = enrol_with_key(2);
  const std::string viewer = make_key_of(R"({"name":"v","role":"viewer"})");
  const std::string enrolment = make_key_of(R"({"name":"e","kind":"enrolment"})");
  const std::string nursery = make_key_of(R"({"name":"n","role":"operator","selector":"room=nursery"})");
  const std::string version(protocol::protocol_header);
  struct Case {
    const char* what;
    Headers headers;
    int status;
  };
  const Case cases[] = {
      {"nothing", {}, 401},
      {"its token", {bearer(token), {version, "1"}}, 101},
      {"its token and id", {bearer(token), {"X-Device-ID", signing}, {version, "1"}}, 101},
      {"another's token", {bearer(token), {"X-Device-ID", plain}}, 403},
      {"a lost token, to be proven by signature",
       {bearer("dt_lost"), {"X-Device-ID", signing}, {version, "1"}},
       101},
      {"no token, to be proven by signature", {{"X-Device-ID", signing}, {version, "1"}}, 101},
      {"no token and nothing to sign with", {{"X-Device-ID", plain}, {version, "1"}}, 401},
      {"a lost token and the flat protocol", {bearer("dt_lost"), {"X-Device-ID", signing}}, 401},
      {"a key", {bearer(admin_key), {"X-Device-ID", plain}}, 101},
      {"a key as the documents send it", {{"X-API-Key", admin_key}, {"X-Device-ID", plain}}, 101},
      {"an enrolment key", {{"X-API-Key", enrolment}, {"X-Device-ID", plain}}, 403},
      {"a key without a device", {bearer(admin_key)}, 401},
      {"a key and an unknown device", {bearer(admin_key), {"X-Device-ID", uuid(9)}}, 401},
      {"a viewer's key", {bearer(viewer), {"X-Device-ID", plain}}, 403},
      {"a key for other devices", {bearer(nursery), {"X-Device-ID", plain}}, 403},
      {"a version that is no number", {bearer(token), {version, "one"}}, 400},
      {"a version from before", {bearer(token), {version, "-1"}}, 400},
  };
  for (const Case& each : cases)
    EXPECT_EQ(open(std::string(protocol::link_path), each.headers), each.status) << each.what;
  EXPECT_EQ(open("/ws", {bearer(token_of(plain))}), 101);
  EXPECT_EQ(open("/api/v1/devices", {bearer(token)}), 404);
  EXPECT_EQ(get_as(token, std::string(protocol::link_path)).status, 422) << "without Upgrade";
}

TEST_F(LinkDoor, WhoCanSignMustSign) {
  const std::string token = enrol_with_key(1);
  const std::string plain = enrol(2, "plain");
  const std::string version(protocol::protocol_header);
  struct Case {
    const char* what;
    Headers headers;
    int status;
  };
  const Case cases[] = {
      {"a token and the handshake to come", {bearer(token), {version, "1"}}, 101},
      {"a token alone", {bearer(token)}, 403},
      {"a token and version 0", {bearer(token), {version, "0"}}, 403},
      {"an operator's key", {bearer(admin_key), {"X-Device-ID", uuid(1)}}, 403},
      {"an operator's key and the handshake to come",
       {bearer(admin_key), {"X-Device-ID", uuid(1)}, {version, "1"}},
       101},
      {"a token of a device without a key", {bearer(token_of(plain))}, 101},
      {"an operator's key for a device without one", {bearer(admin_key), {"X-Device-ID", plain}}, 101},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(open(std::string(protocol::link_path), each.headers), each.status) << each.what;
    EXPECT_EQ(open("/ws", each.headers), each.status) << each.what;
  }
}

TEST_F(LinkDoor, ADeviceThatOpensOneLinkAfterTheOtherHasToWait) {
  const std::string plain = enrol(1, "plain");
  const std::string other = enrol(2, "other");
  int opened = 0;
  while (opened < 10'000 && open("/ws", {bearer(token_of(plain))}) == 101)
    ++opened;
  EXPECT_EQ(opened, 200);
  EXPECT_EQ(open("/ws", {bearer(token_of(plain))}), 429);
  EXPECT_EQ(open("/ws", {bearer(token_of(other))}), 101);
  clock.advance(Seconds(1));
  EXPECT_EQ(open("/ws", {bearer(token_of(plain))}), 101);
}

}  // namespace
}  // namespace starling::hub
