// starling-tuf against a real server: what it keeps, what it downloads, and how it refuses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <map>
#include <mutex>
#include <thread>

#include "base/http/server.hpp"
#include "base/tls.hpp"
#include "e2e/process.hpp"
#include "protocol/tuf/test_repository.hpp"

namespace starling::e2e {
namespace {

namespace asio = boost::asio;
namespace tuf = protocol::tuf;
using testing::HasSubstr;
using tuf::test::TestKey;
using tuf::test::TestRepository;

// Serves files by their paths, on a thread of its own.
class FileServer final : public http::Handler {
 public:
  explicit FileServer(std::optional<http::TlsIdentity> tls) {
    http::ServerOptions options;
    options.tls = std::move(tls);
    server_ =
        http::Server::listen(context_.get_executor(), clock_, Logger(), *this, std::move(options)).value();
    server_->start();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~FileServer() override {
    asio::co_spawn(context_, server_->stop(), asio::use_future).get();
    work_.reset();
    thread_.join();
  }

  asio::awaitable<http::Response> serve(const http::Request& request) override {
    const std::scoped_lock lock(mutex_);
    http::Response response{.status = 404, .content_type = "text/plain", .body = "nothing", .headers = {}};
    if (const auto found = files_.find(request.path); found != files_.end()) {
      response.status = 200;
      response.body = found->second;
    }
    co_return response;
  }
  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request&) override {
    return http::Response{.status = 404, .content_type = "text/plain", .body = {}, .headers = {}};
  }

  void put(const std::string& path, std::string bytes) {
    const std::scoped_lock lock(mutex_);
    files_[path] = std::move(bytes);
  }
  std::uint16_t port() const { return server_->port(); }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> files_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  SystemClock clock_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

class StarlingTuf : public testing::TestWithParam<bool> {
 protected:
  StarlingTuf() {
    std::optional<http::TlsIdentity> tls;
    if (GetParam()) {
      tls = make_self_signed_identity("localhost");
      pin_ = pin_of_certificate(tls->certificate_pem).value();
    }
    server_.emplace(std::move(tls));
    for (JsonObject* content :
         {&repository_.root, &repository_.timestamp, &repository_.snapshot, &repository_.targets})
      (*content)["expires"] = "2999-01-01T00:00:00Z";  // by the real clock
    write_text(folder_ / "root.json", repository_.root_file());
    publish();
    server_->put("/targets/app/" + sha256("one").hex() + ".one.tar", "one");
  }

  void publish() {
    server_->put("/metadata/timestamp.json", repository_.timestamp_file());
    server_->put("/metadata/1.snapshot.json", repository_.snapshot_file());
    server_->put("/metadata/1.targets.json", repository_.targets_file());
  }
  Finished starling_tuf(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--metadata-dir", (folder_ / "trust").string()});
    return run({.program = "starling-tuf",
                .arguments = std::move(arguments),
                .environment = {},
                .output = folder_ / "log"});
  }
  Finished init() { return starling_tuf({"init", (folder_ / "root.json").string()}); }
  Finished over_network(std::vector<std::string> arguments) {
    const std::string base =
        (GetParam() ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(server_->port());
    arguments.insert(arguments.begin(), {"--metadata-url", base + "/metadata", "--target-base-url",
                                         base + "/targets", "--target-dir", folder_.path().string()});
    if (!pin_.empty()) arguments.insert(arguments.begin(), {"--pin", pin_});
    return starling_tuf(std::move(arguments));
  }

  TemporaryFolder folder_;
  TestRepository repository_;
  std::string pin_;
  std::optional<FileServer> server_;
};

TEST_P(StarlingTuf, DownloadsWhatIsSigned) {
  ASSERT_EQ(init().status, 0);
  const Finished finished = over_network({"--target-name", "app/one.tar", "download"});
  ASSERT_EQ(finished.status, 0) << finished.output;
  EXPECT_EQ(read_text(folder_ / "app%2Fone.tar"), "one");
  EXPECT_EQ(read_text(folder_ / "trust/timestamp.json"), repository_.timestamp_file());
}

TEST_P(StarlingTuf, RefusesWhatIsNotAndSaysWhy) {
  const Finished untrusted = over_network({"refresh"});
  EXPECT_EQ(untrusted.status, 1);
  EXPECT_THAT(untrusted.output, HasSubstr("trusted root"));
  ASSERT_EQ(init().status, 0);
  EXPECT_EQ(init().status, 1);  // not twice

  repository_.targets_keys = {TestKey('x')};
  publish();
  const Finished forged = over_network({"refresh"});
  EXPECT_EQ(forged.status, 1);
  EXPECT_THAT(forged.output, HasSubstr("targets.json has 0 of the 1 signatures"));
  EXPECT_EQ(read_text(folder_ / "trust/targets.json"), "");

  EXPECT_EQ(over_network({"download"}).status, 2);
  EXPECT_EQ(over_network({"--target-name", "../root.json", "download"}).status, 1);
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, StarlingTuf, testing::Bool(),
                         [](const auto& tls) { return tls.param ? "Tls" : "Plain"; });

}  // namespace
}  // namespace starling::e2e
