#include "hub/webhooks/webhooks.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/http/server.hpp"
#include "base/temporary_folder.hpp"
#include "hub/api/api_fixture.hpp"

namespace starling::hub {
namespace {

// Who is told: keeps what came, and answers as it is told.
class ReceivingService final : public http::Handler {
 public:
  asio::awaitable<http::Response> serve(const http::Request& request) override {
    came.push_back(request);
    http::Response response;
    response.status = status;
    co_return response;
  }
  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request&) override {
    return http::problem_response({ErrorCode::not_found, "no", {}});
  }
  std::vector<http::Request> came;
  int status = 200;
};

class WebhooksTest : public ApiTest {
 protected:
  WebhooksTest() {
    auto listening =
        http::Server::listen(context->get_executor(), system_, Logger(), service_, http::ServerOptions{});
    server_ = std::move(listening.value());
    server_->start();
    begin();
    add_release("v1.0.0");
  }
  ~WebhooksTest() override {
    bool ended = false;
    asio::co_spawn(*context, end(ended), asio::detached);
    run_until([&] { return ended; });
    webhooks_.reset();  // its deliveries have ended
  }
  void begin() {
    Webhooks::Options options{{}, "secret"};
    options.urls.push_back(
        http::Url::parse("http://127.0.0.1:" + std::to_string(server_->port()) + "/hook?who=us").value());
    webhooks_.reset();
    webhooks_.emplace(*hub, context->get_executor(), *tasks_, clock, Logger(), std::move(options));
  }
  void fail_update(int device) {
    EXPECT_EQ(ask(http::Method::post, "/api/v1/updates/v1.0.0/status",
                  R"({"status":"failed","error_message":"disk full"})", {token_of(uuid(device))})
                  .status,
              200);
  }
  asio::awaitable<void> end(bool& ended) {
    auto joined = tasks_->stop();
    co_await std::move(joined);
    auto closed = server_->stop();
    co_await std::move(closed);
    ended = true;
  }
  void run_until(const std::function<bool()>& done) const {
    context->restart();
    while (!done() && context->run_one() > 0) {
    }
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    webhooks_->tick();
  }
  Json told(std::size_t count) {
    run_until([&] { return service_.came.size() >= count; });
    EXPECT_EQ(service_.came.size(), count);
    return *parse_json(service_.came.at(count - 1).body);
  }

  SystemClock system_;
  ReceivingService service_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<TaskGroup> tasks_ = std::make_unique<TaskGroup>(context->get_executor(), Logger());
  std::optional<Webhooks> webhooks_;
};

TEST_F(WebhooksTest, FailedUpdatesComeTogetherSignedAndOnlyOnce) {
  put("/api/v1/settings", R"({"values":{"software.release":"v1.0.0"}})");
  for (int i = 1; i <= 2; ++i) {
    enrol(i, "d" + std::to_string(i));
    for (int again = 0; again < 2; ++again)
      fail_update(i);
  }
  pass(Seconds(1));
  pass(Seconds(10));
  const Json event = told(1);
  EXPECT_EQ(event.at("type"), Json("update.failed"));
  EXPECT_EQ(event.at("data").at("version"), Json("v1.0.0"));
  EXPECT_EQ(event.at("data").at("count"), Json(2));
  EXPECT_EQ(event.at("data").at("devices").at(0),
            *parse_json(R"({"device":")" + uuid(1) + R"(","name":"d1","error":"disk full"})"));
  const http::Request& request = service_.came.front();
  EXPECT_EQ(request.target, "/hook?who=us");
  const auto header = [&](const char* name) { return std::string(request.headers.find(name).value_or("")); };
  EXPECT_EQ(header("webhook-signature"),
            webhook_signature("secret", header("webhook-id"), std::stoll(header("webhook-timestamp")),
                              request.body));
  EXPECT_EQ(header("Content-Type"), "application/json");
}

TEST_F(WebhooksTest, WhatFailedBeforeTheHubStartedIsNotToldAgain) {
  put("/api/v1/settings", R"({"values":{"software.release":"v1.0.0"}})");
  enrol(1, "old");
  fail_update(1);
  begin();
  fail_update(1);
  enrol(2, "new");
  fail_update(2);
  pass(Seconds(11));
  pass(Seconds(0));
  const Json event = told(1);
  EXPECT_EQ(event.at("data").at("count"), Json(1));
  EXPECT_EQ(event.at("data").at("devices").at(0).at("name"), Json("new"));
}

TEST_F(WebhooksTest, WhatIsNotTakenComesAgainAsTheSame) {
  service_.status = 500;
  Change change{"default", 7, 0, "hub", "hub", "rollout.step", "", {}};
  change.edits.push_back(
      {EntityKind::rollout, "r5", JsonObject{{"state", "open"}},
       JsonObject{{"state", "stopped"}, {"why", "3 of 10 failed"}, {"values", JsonArray()}}});
  const FleetState state("default");
  webhooks_->on_change(std::make_shared<const Change>(change), state);
  pass(Seconds(0));
  const Json event = told(1);
  EXPECT_EQ(event.at("type"), Json("rollout.stopped"));
  EXPECT_EQ(event.at("data").at("why"), Json("3 of 10 failed"));
  service_.status = 204;
  settle();
  pass(Seconds(1));
  settle();
  EXPECT_EQ(service_.came.size(), 1u) << "not at once";
  pass(Seconds(6));
  EXPECT_EQ(told(2), event);
  EXPECT_EQ(service_.came[0].headers.find("webhook-id"), service_.came[1].headers.find("webhook-id"));
}

TEST(WebhookSecret, IsMadeOnceAndKept) {
  const TemporaryFolder folder;
  const auto made = webhook_secret(folder.path());
  ASSERT_TRUE(made);
  EXPECT_EQ(made->size(), 32u);
  EXPECT_EQ(webhook_secret(folder.path()), *made);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "webhook.secret").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_TRUE(write_file_durably(folder / "webhook.secret", "whsec_\n"));
  EXPECT_EQ(webhook_secret(folder.path()).error().code, ErrorCode::corrupted);
}

}  // namespace
}  // namespace starling::hub
