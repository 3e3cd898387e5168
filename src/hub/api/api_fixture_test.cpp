#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "base/build_folders.hpp"
#include "base/json_folder.hpp"
#include "base/uuid.hpp"
#include "hub/api/api_fixture.hpp"
#include "hub/first_start.hpp"

namespace starling::hub {

namespace {

asio::awaitable<void> serve_into(Api& api, const http::Request& request, http::Response& response,
                                 int& open) {
  response = co_await api.serve(request);
  --open;
}

Answered answered(http::Response response) {
  Answered result;
  result.status = response.status;
  if (const auto json = parse_json(response.body)) result.body = *json;
  result.response = std::move(response);
  return result;
}

}  // namespace

ApiFixture::ApiFixture(Api::Options options)

    : context(std::make_unique<asio::io_context>(1)),
      executor(context->get_executor()),
      store(executor, clock, make_uuid_v4()),
      options_(options) {
  start();
}

ApiFixture::~ApiFixture() {
  api->stop();
  hub->stop();
  settle();
}

void ApiFixture::start() {
  hub = std::make_unique<Hub>(store, executor, clock, nullptr, Sessions::Options{});
  EXPECT_TRUE(hub->load());
  hub->changes().add_fleet(std::string(default_fleet));
  api = std::make_unique<Api>(context->get_executor(), *hub, executor, clock, Logger(), options_);
  const auto done = [](const Result<SharedChange>& change) { EXPECT_TRUE(change); };
  hub->changes().append("default", admin_key_plan(admin_key, 1), done);
  const auto files = read_json_folders({source_folder() / "components"});
  ASSERT_TRUE(files) << files.error().message;
  const auto components = protocol::catalog_of(*files);
  ASSERT_TRUE(components) << components.error().message;
  hub->changes().append("default", components_plan(*components, Logger()), done);
  settle();
  api->set_ready(true);
}

void ApiFixture::restart() {
  api->stop();
  hub->stop();
  settle();
  api.reset();
  hub.reset();
  start();
}

void ApiFixture::settle() {
  context->restart();
  context->poll();
}

http::Request ApiFixture::request(http::Method method, const std::string& target, const std::string& body,
                                  const Ask& ask) {
  http::Request made;
  made.method = method;
  made.target = target;
  const auto mark = target.find('?');
  made.path = *http::percent_decode(target.substr(0, mark));
  if (mark != std::string::npos) made.query = *http::Query::parse(target.substr(mark + 1));
  made.body = body;
  made.peer_address = ask.peer;
  if (!ask.key.empty()) made.headers.add("Authorization", "Bearer " + ask.key);
  for (const auto& [name, value] : ask.headers)
    made.headers.add(name, value);
  return made;
}

Answered ApiFixture::ask(http::Method method, const std::string& target, const std::string& body,
                         const Ask& ask) {
  return ask_together(method, target, {body}, {ask}).front();
}

std::vector<Answered> ApiFixture::ask_together(http::Method method, const std::string& target,
                                               const std::vector<std::string>& bodies,
                                               const std::vector<Ask>& asks) {
  std::vector<http::Request> requests;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    requests.push_back(request(method, target, bodies[i], asks[i % asks.size()]));
  }
  std::vector<http::Response> responses(bodies.size());
  int open = static_cast<int>(bodies.size());
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    asio::co_spawn(*context, serve_into(*api, requests[i], responses[i], open), asio::detached);
  }
  context->restart();
  while (open > 0 && context->run_one() > 0) {
  }
  EXPECT_EQ(open, 0) << target << " was not answered";
  std::vector<Answered> answers;
  for (auto& response : responses)
    answers.push_back(answered(std::move(response)));
  return answers;
}

std::string ApiFixture::uuid(int number) {
  const std::string digits = std::to_string(number);
  return "00000000-0000-7000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

std::string ApiFixture::enrol(int number, const std::string& name, const std::string& labels) {
  const std::string id = uuid(number);
  const auto answer = post("/api/v1/devices/register", R"({"device_uuid":")" + id + R"(","device_name":")" +
                                                           name + R"(","labels":)" + labels + "}");
  EXPECT_EQ(answer.status, 201) << answer.response.body;
  tokens_[id] = answer.text("/token");
  return id;
}

void ApiFixture::add_release(const std::string& version) {
  hub->changes().append(
      "default",
      [&](const FleetState& head, std::int64_t) -> Result<Draft> {
        Draft draft;
        draft.edits.push_back(head.edit(EntityKind::release, version, JsonObject{{"type", "urgent"}}));
        return draft;
      },
      [](const Result<SharedChange>& done) { ASSERT_TRUE(done); });
  settle();
}

std::string ApiFixture::make_key_of(const std::string& body) {
  const auto answer = post("/api/v1/keys", body);
  EXPECT_EQ(answer.status, 201) << answer.response.body;
  return answer.text("/key");
}

}  // namespace starling::hub
