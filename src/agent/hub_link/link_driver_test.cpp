#include "agent/hub_link/link_driver.hpp"

#include <gtest/gtest.h>

namespace starling::agent {
namespace {

http::Response answer(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

TEST(Registration, TakesTheTokenFromTheAnswer) {
  EXPECT_EQ(*token_of_registration(answer(201, R"({"device":{},"token":"t","heartbeat_seconds":1})")), "t");
  EXPECT_EQ(*token_of_registration(answer(200, R"({"token":"t"})")), "t");
  EXPECT_EQ(*token_of_registration(answer(200, R"({"device":{},"heartbeat_seconds":1})")), "")
      << "known already: the link's handshake brings the token";
}

TEST(Registration, SaysWhyItFailed) {
  struct Case {
    int status;
    const char* body;
    ErrorCode code;
    const char* message;
  };
  const Case cases[] = {
      {401, R"({"detail":"no such key"})", ErrorCode::unauthenticated,
       "the hub answered the registration with 401: no such key"},
      {409, R"({"detail":"another key"})", ErrorCode::conflict,
       "the hub answered the registration with 409: another key"},
      {429, "", ErrorCode::rate_limited, "the hub answered the registration with 429"},
      {502, "<html>", ErrorCode::unavailable, "the hub answered the registration with 502"},
      {201, "[]", ErrorCode::unavailable, "the hub's answer to the registration is not a JSON object"},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.body);
    const auto token = token_of_registration(answer(one.status, one.body));
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, one.code);
    EXPECT_EQ(token.error().message, one.message);
  }
  EXPECT_EQ(token_of_registration(answer(201, "{}")).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace starling::agent
