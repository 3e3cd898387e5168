#include "base/http/file_response.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "base/test_server.hpp"

namespace starling::http {
namespace {

using test::RawClient;
using test::TestServer;

TEST(FileResponse, RangesAsTheyAreAskedFor) {
  struct Case {
    const char* header;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> range;  // of 10 bytes: first, length
  };
  const Case cases[] = {
      {"bytes=0-3", {{0, 4}}},
      {"bytes=4-", {{4, 6}}},
      {"bytes=-4", {{6, 4}}},
      {"bytes=9-9", {{9, 1}}},
      {"bytes=0-99", {{0, 10}}},
      {"bytes=-99", {{0, 10}}},
      {"bytes=10-", {{10, 0}}},
      {"bytes=-0", {{10, 0}}},
      {"bytes= 2-3 ", {{2, 2}}},
      {"bytes=0-18446744073709551615", {{0, 10}}},
      {"bytes=5-18446744073709551615", {{5, 5}}},
      {"bytes=3-2", {}},
      {"bytes=-", {}},
      {"bytes=", {}},
      {"bytes=1-2,4-5", {}},
      {"lines=1-2", {}},
      {"bytes=a-b", {}},
      {"bytes=0-18446744073709551616", {}},
      {"", {}},
  };
  for (const Case& each : cases) {
    const auto range = parse_range(each.header, 10);
    ASSERT_EQ(range.has_value(), each.range.has_value()) << each.header;
    if (!range) continue;
    EXPECT_EQ(range->first, each.range->first) << each.header;
    EXPECT_EQ(range->length, each.range->second) << each.header;
  }
  EXPECT_EQ(parse_range("bytes=0-", 0)->length, 0);
}

TEST(FileResponse, EntityTagsAreFoundInTheirList) {
  for (const char* list : {"\"a\"", "W/\"a\"", "\"b\", \"a\"", "*", " \"a\" ,"})
    EXPECT_TRUE(names_etag(list, "\"a\"")) << list;
  for (const char* list : {"", "\"b\"", "a", ",", "\"aa\""})
    EXPECT_FALSE(names_etag(list, "\"a\"")) << list;
}

class ServedFile : public testing::Test {
 protected:
  ServedFile() {
    content_.resize(3u << 20);
    for (std::size_t i = 0; i < content_.size(); ++i)
      content_[i] = static_cast<char>(i * 31 + i / 251);
    EXPECT_TRUE(write_file_durably(path_, content_));
    server_.handler.on_file = [this](const Request& request) {
      auto response = file_response(request, path_, {"application/x-tar", "\"tag\"", "immutable"});
      return response ? *std::move(response) : problem_response(response.error());
    };
  }
  struct Got {
    std::string head, body;
  };
  Got get(const std::string& headers, const char* method = "GET") const {
    RawClient client(server_.port);
    client.send(std::string(method) + " /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + headers +
                "\r\n");
    Got got{client.read_until("\r\n\r\n"), {}};
    got.body = client.read_all();
    return got;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "file";
  std::string content_;
  TestServer server_;
};

TEST_F(ServedFile, ComesWholeAndInParts) {
  const Got whole = get("");
  EXPECT_TRUE(whole.head.starts_with("HTTP/1.1 200 ")) << whole.head;
  EXPECT_NE(whole.head.find("ETag: \"tag\"\r\n"), std::string::npos);
  EXPECT_NE(whole.head.find("Cache-Control: immutable\r\n"), std::string::npos);
  EXPECT_TRUE(whole.body == content_);

  const Got part = get("Range: bytes=1000000-\r\n");
  EXPECT_TRUE(part.head.starts_with("HTTP/1.1 206 ")) << part.head;
  EXPECT_NE(part.head.find("Content-Range: bytes 1000000-3145727/3145728\r\n"), std::string::npos);
  EXPECT_TRUE(part.body == content_.substr(1'000'000));

  EXPECT_TRUE(get("Range: bytes=0-9\r\nIf-Range: \"other\"\r\n").head.starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(get("Range: bytes=0-9\r\nIf-Range: \"tag\"\r\n").body.size(), 10);
  EXPECT_TRUE(get("Range: bytes=9999999-\r\n").head.starts_with("HTTP/1.1 416 "));
  const Got same = get("If-None-Match: \"tag\"\r\n");
  EXPECT_TRUE(same.head.starts_with("HTTP/1.1 304 ")) << same.head;
  EXPECT_EQ(same.body, "");
  const Got head = get("", "HEAD");
  EXPECT_NE(head.head.find("Content-Length: 3145728\r\n"), std::string::npos);
  EXPECT_EQ(head.body, "");
}

TEST_F(ServedFile, AMissingOneIsSaid) {
  std::filesystem::remove(path_);
  EXPECT_TRUE(get("").head.starts_with("HTTP/1.1 404 "));
  std::filesystem::create_directory(path_);
  EXPECT_TRUE(get("").head.starts_with("HTTP/1.1 500 "));
}

// Counts what comes, and has had enough at some point.
struct CountingSink final : BodySink {
  CountingSink(std::size_t& counted, std::size_t most) : bytes(counted), limit(most) {}
  Result<void> write(std::string_view part) override {
    bytes += part.size();
    largest = std::max(largest, part.size());
    if (bytes > limit) return fail(ErrorCode::too_large, "that is more than was announced");
    return {};
  }
  std::size_t& bytes;
  std::size_t limit;
  std::size_t largest = 0;
};

TEST(StreamedBody, GoesToItsSinkHoweverLargeItIs) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  TestServer server(std::move(options));
  std::size_t bytes = 0;
  auto sink = std::make_shared<CountingSink>(bytes, 100'000'000);
  server.handler.on_body = [&](const Request&) -> Handler::Reception { return sink; };
  for (const bool chunked : {false, true}) {
    bytes = 0;
    RawClient client(server.port);
    const std::string part(1'000'000, 'x');
    client.send(std::string("POST /hello HTTP/1.1\r\nHost: h\r\n") +
                (chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 20000000\r\n\r\n"));
    for (int i = 0; i < 20; ++i) {
      if (chunked) client.send("F4240\r\n");
      client.send(part);
      if (chunked) client.send("\r\n");
    }
    if (chunked) client.send("0\r\n\r\n");
    client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n");  // the connection goes on
    EXPECT_TRUE(client.read_until("hello you").starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(client.read_until("hello you").starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(server.on_loop([&] { return bytes; }), 20'000'000);
    EXPECT_LE(server.on_loop([&] { return sink->largest; }), 64u << 10);
  }
}

TEST(StreamedBody, IsRefusedBeforeAndWithin) {
  TestServer server;
  std::size_t bytes = 0;
  const std::string head = "POST /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 16000000\r\n\r\n";
  server.handler.on_body = [&](const Request&) -> Handler::Reception {
    return problem_response({ErrorCode::permission_denied, "not yours", {}});
  };
  RawClient before(server.port);
  before.send(head + std::string(16'000'000, 'x'));
  EXPECT_TRUE(before.read_until("\r\n\r\n").starts_with("HTTP/1.1 403 "));

  server.handler.on_body = [&](const Request&) -> Handler::Reception {
    return std::make_shared<CountingSink>(bytes, 1'000'000);
  };
  RawClient within(server.port);
  within.send(head + std::string(16'000'000, 'x'));
  EXPECT_TRUE(within.read_until("\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

}  // namespace
}  // namespace starling::http
