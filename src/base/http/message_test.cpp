#include "base/http/message.hpp"

#include <gtest/gtest.h>

#include "base/http/message_parser.hpp"

namespace starling::http {
namespace {

TEST(Headers, AreFoundWithoutCase) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("X-Name", "b");
  headers.add("x-name", "c");
  EXPECT_EQ(headers.find("content-TYPE"), "a");
  EXPECT_EQ(headers.find("X-NAME"), "b");
  EXPECT_EQ(headers.find("X-Nam"), std::nullopt);
  headers.set("X-NAME", "d");
  EXPECT_EQ(headers.find("x-name"), "d");
  EXPECT_EQ(std::distance(headers.begin(), headers.end()), 2);
}

TEST(Percent, EncodesAndDecodes) {
  EXPECT_EQ(percent_encode("aZ09-._~ /?\xc3\xa4"), "aZ09-._~%20%2F%3F%C3%A4");
  EXPECT_EQ(percent_decode("a%20b%2fc%C3%a4").value(), "a b/c\xc3\xa4");
  EXPECT_EQ(percent_decode("").value(), "");
  for (const char* bad : {"%", "%4", "%g0", "%0g", "a%", "%%41"}) {
    EXPECT_EQ(percent_decode(bad).error().code, ErrorCode::invalid_argument) << bad;
  }
}

TEST(Query, ReadsPairs) {
  const Query query = Query::parse("a=1&b=x+y%2B&&c&=v&a=2&d==").value();
  EXPECT_EQ(query.find("a"), "1");
  EXPECT_EQ(query.find("b"), "x y+");
  EXPECT_EQ(query.find("c"), "");
  EXPECT_EQ(query.find(""), "v");
  EXPECT_EQ(query.find("d"), "=");
  EXPECT_EQ(query.find("e"), std::nullopt);
  EXPECT_EQ(std::distance(query.begin(), query.end()), 6);
  EXPECT_FALSE(Query::parse("a=%zz"));
  EXPECT_FALSE(Query::parse("%=a"));
}

struct UrlCase {
  const char* text;
  const char* origin;  // null: refused
  const char* target;
};

TEST(Url, IsReadOrRefused) {
  const UrlCase cases[] = {
      {"http://hub", "http://hub:80", "/"},
      {"https://hub.local/", "https://hub.local:443", "/"},
      {"ws://127.0.0.1:8000/api/v1/link?a=b", "http://127.0.0.1:8000", "/api/v1/link?a=b"},
      {"WSS://hub?x", "https://hub:443", "/?x"},
      {"http://[::1]:8000/x#part", "http://[::1]:8000", "/x"},
      {"http://hub:65535", "http://hub:65535", "/"},
      {"", nullptr, ""},
      {"hub:8000", nullptr, ""},
      {"ftp://hub", nullptr, ""},
      {"http://", nullptr, ""},
      {"http:///path", nullptr, ""},
      {"http://hub:0", nullptr, ""},
      {"http://hub:65536", nullptr, ""},
      {"http://hub:", nullptr, ""},
      {"http://hub:8o", nullptr, ""},
      {"http://[::1", nullptr, ""},
      {"http://[::1]8000", nullptr, ""},
      {"http://user:secret@hub", nullptr, ""},
      {"http://hub/a b", nullptr, ""},
      {"http://hub/\r\nX: y", nullptr, ""},
  };
  for (const UrlCase& test : cases) {
    SCOPED_TRACE(test.text);
    const Result<Url> url = Url::parse(test.text);
    ASSERT_EQ(url.has_value(), test.origin != nullptr);
    if (!url) continue;
    EXPECT_EQ(url->origin(), test.origin);
    EXPECT_EQ(url->target, test.target);
  }
}

TEST(Problem, HoldsWhatTheErrorSays) {
  const Response response =
      problem_response({.code = ErrorCode::conflict, .message = "lost a race", .field = "/values/x"});
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body, R"({"type":"about:blank","title":"Conflict","status":409,"detail":"lost a race",)"
                           R"("code":"conflict","pointer":"/values/x"})");
}

TEST(Problem, EveryCodeHasAStatus) {
  const std::pair<ErrorCode, int> statuses[] = {{ErrorCode::invalid_argument, 422},
                                                {ErrorCode::unauthenticated, 401},
                                                {ErrorCode::permission_denied, 403},
                                                {ErrorCode::not_found, 404},
                                                {ErrorCode::already_exists, 409},
                                                {ErrorCode::conflict, 409},
                                                {ErrorCode::failed_precondition, 409},
                                                {ErrorCode::too_large, 413},
                                                {ErrorCode::rate_limited, 429},
                                                {ErrorCode::unavailable, 503},
                                                {ErrorCode::timed_out, 504},
                                                {ErrorCode::corrupted, 500},
                                                {ErrorCode::io, 500},
                                                {ErrorCode::internal, 500}};
  for (const auto& [code, status] : statuses)
    EXPECT_EQ(http_status(code), status) << to_string(code);
}

TEST(RequestParser, TakesATargetWithHost) {
  RequestParser parser({.max_header_bytes = 1000, .max_body_bytes = 1000});
  const std::string_view bytes = "GET http://hub:8000/a%20b?c=d HTTP/1.1\r\nHost: hub\r\n\r\n";
  EXPECT_EQ(parser.feed(bytes).value(), bytes.size());
  ASSERT_TRUE(parser.complete());
  EXPECT_EQ(parser.request().path, "/a b");
  EXPECT_EQ(parser.request().query.find("c"), "d");
}

TEST(RequestParser, RefusesHeadersThatAreNoText) {
  RequestParser parser({.max_header_bytes = 1000, .max_body_bytes = 1000});
  const auto fed = parser.feed("GET / HTTP/1.1\r\nHost: x\r\nX-Device-Type: \xff\r\n\r\n");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().status, 400);
  EXPECT_NE(fed.error().detail.find("X-Device-Type"), std::string::npos);
}

TEST(ResponseParser, EndsAsTheFramingSays) {
  struct Case {
    const char* name;
    std::string bytes;
    bool ends_with_connection;
    std::string body;
  };
  const Case cases[] = {
      {"by length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", false, "abc"},
      {"by chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
       false, "abc"},
      {"by the connection", "HTTP/1.1 200 OK\r\n\r\nabc", true, "abc"},
      {"without body", "HTTP/1.1 204 No Content\r\n\r\n", false, ""},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    ResponseParser parser({.max_header_bytes = 1000, .max_body_bytes = 1000}, false);
    std::string unread;
    for (const char c : test.bytes) {
      unread += c;
      unread.erase(0, parser.feed(unread).value());
    }
    EXPECT_EQ(parser.complete(), !test.ends_with_connection);
    EXPECT_TRUE(parser.feed_end());
    EXPECT_TRUE(parser.complete());
    EXPECT_EQ(parser.response().body, test.body);
  }
  ResponseParser cut({.max_header_bytes = 1000, .max_body_bytes = 1000}, false);
  EXPECT_TRUE(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"));
  EXPECT_FALSE(cut.feed_end());
}

TEST(AppendRequest, HeadersCannotBreakOut) {
  std::string out;
  Headers headers;
  headers.add("X-A", "1\r\nX-B: 2");
  append_request(out, {.host = "hub", .port = 8000}, Method::post, "/a b\r\nX-C: 3", headers, "body",
                 "text/plain");
  EXPECT_EQ(out,
            "POST /abX-C:3 HTTP/1.1\r\nHost: hub:8000\r\nX-A: 1X-B: 2\r\nContent-Type: text/plain\r\n"
            "Content-Length: 4\r\n\r\nbody");
}

}  // namespace
}  // namespace starling::http
