// Purpose: the hub's API on a store in memory, asked without sockets: for tests of what each request answers.
// Owner: the test. Thread: one. Lifetime: the test's.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "hub/api/api.hpp"
#include "hub/io_executor.hpp"
#include "hub/store/memory_store.hpp"

namespace boost::asio {
class io_context;
}

namespace starling::hub {

struct Answered {
  int status = 0;
  Json body;
  http::Response response;

  const Json& at(std::string_view pointer) const { return body.at_pointer(pointer); }
  std::string text(std::string_view pointer) const { return std::string(at(pointer).as_string()); }
};

class ApiFixture {
 public:
  explicit ApiFixture(Api::Options options = {});
  ~ApiFixture();

  struct Ask {
    std::string key;
    std::vector<std::pair<std::string, std::string>> headers = {};
    std::string peer = "192.0.2.1";
  };
  Answered ask(http::Method method, const std::string& target, const std::string& body, const Ask& ask);
  Answered get(const std::string& target) { return ask(http::Method::get, target, "", {admin_key}); }
  Answered get_as(const std::string& key, const std::string& target) {
    return ask(http::Method::get, target, "", {key});
  }
  Answered post(const std::string& target, const std::string& body) {
    return ask(http::Method::post, target, body, {admin_key});
  }
  Answered put(const std::string& target, const std::string& body) {
    return ask(http::Method::put, target, body, {admin_key});
  }
  Answered patch(const std::string& target, const std::string& body) {
    return ask(http::Method::patch, target, body, {admin_key});
  }
  Answered del(const std::string& target) { return ask(http::Method::del, target, "", {admin_key}); }

  // Runs what is ready.
  void settle();
  // Asks several at once, so that their changes meet in one commit.
  std::vector<Answered> ask_together(http::Method method, const std::string& target,
                                     const std::vector<std::string>& bodies, const std::vector<Ask>& asks);

  // Gives the UUID.
  std::string enrol(int number, const std::string& name, const std::string& labels = "{}");
  std::string token_of(const std::string& uuid) { return tokens_.at(uuid); }
  std::string make_key_of(const std::string& body);
  // One that is published, as the log has it.
  void add_release(const std::string& version);
  static std::string uuid(int number);

  // The hub again, from what is stored.
  void restart();

  std::unique_ptr<asio::io_context> context;
  IoExecutor executor;
  ManualClock clock;
  MemoryStore store;
  std::unique_ptr<Hub> hub;
  std::unique_ptr<Api> api;
  const std::string admin_key = "the-admin-key-of-the-tests";

 private:
  http::Request request(http::Method method, const std::string& target, const std::string& body,
                        const Ask& ask);
  void start();

  Api::Options options_;
  std::map<std::string, std::string> tokens_;
};

class ApiTest : public testing::Test, public ApiFixture {};

}  // namespace starling::hub
