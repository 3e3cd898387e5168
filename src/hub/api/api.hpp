// Purpose: the REST API and the door of the device link: who asks, may they, what do they get.
// Owner: Server (or a test). Thread: the hub's. Lifetime: outlives the http::Server; the Hub outlives it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <variant>

#include "base/http/server.hpp"
#include "hub/api/authentication.hpp"
#include "hub/api/rate_limit.hpp"
#include "hub/api/router.hpp"
#include "hub/hub.hpp"

namespace starling::hub {

class AssetFiles;
class Repositories;

class Api : public http::Handler {
 public:
  struct Options {
    RateLimit::Options per_key{10'000, 50'000};
    RateLimit::Options per_device{20, 200};
    RateLimit::Options failures_per_address{50, 1'000};
    Milliseconds min_revision_wait{5'000};
    bool listens_on_loopback = false;  // and nowhere else
  };

  // `repositories`: nullptr if this hub keeps no releases; `assets` likewise.
  Api(asio::any_io_executor executor, Hub& hub, Executor& hub_executor, const Clock& clock, Logger logger,
      Options options, Repositories* repositories = nullptr, AssetFiles* assets = nullptr);
  ~Api() override;

  asio::awaitable<http::Response> serve(const http::Request& request) override;
  Reception receive(const http::Request& request) override;
  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request& request) override;

  const Router& router() const;
  void count_http_with(std::function<http::Server::Counters()> counters);
  void set_ready(bool ready);
  void tick();  // every second
  // Ends the live streams. Requests that are being served go on; the http::Server waits for them.
  void stop();

 private:
  struct Parts;

  asio::awaitable<http::Response> respond(const http::Request& request);
  std::variant<http::Response, Call> admit(const http::Request& request, const Route& route, PathValues path);
  Result<Principal> identify(const http::Request& request);
  Result<void> check_query(const http::Request& request, const Route& route) const;
  std::optional<http::Response> limit(const Principal& principal);
  std::optional<http::Response> limit_failures(std::string_view address);
  asio::awaitable<Reply> handle(Call& call, const Route& route);
  void add_state_headers(const Call& call, http::Response& response) const;

  Result<LinkRequest> link_request(const http::Request& request);

  asio::any_io_executor executor_;
  Hub& hub_;
  const Clock& clock_;
  Logger logger_;
  Options options_;
  Authentication authentication_;
  RateLimit key_limit_;
  RateLimit device_limit_;
  RateLimit failure_limit_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace starling::hub
