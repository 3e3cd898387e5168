// Purpose: from method and path to the handler, with who may call it and which query parameters it knows. The
// table of routes is what the tests hold docs/openapi.json against.
// Owner: Api. Thread: the hub's. Lifetime: filled once, before the first request.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hub/api/call.hpp"

namespace starling::hub {

namespace asio = boost::asio;

// Most answers are made at once; those that wait for the store are coroutines.
using Reply = Result<http::Response>;
using ImmediateHandler = std::function<Reply(const Call&)>;
using WaitingHandler = std::function<asio::awaitable<Reply>(Call&)>;

struct Route {
  http::Method method = http::Method::get;
  std::string path;  // "/api/v1/devices/{uuid}"
  Access access;
  std::vector<std::string_view> query;  // literals; besides `fleet` and, for reads of a fleet, `min_revision`
  std::variant<ImmediateHandler, WaitingHandler> handler;
  bool of_fleet = true;   // works on one fleet
  bool of_state = false;  // reads a fleet's state: knows min_revision and answers the revision
  // If set, takes the request's body part by part, which may be larger than memory.
  std::function<Result<std::shared_ptr<http::BodySink>>(const Call&)> sink = {};
};

class Router {
 public:
  Router();
  ~Router();

  // A second route of the same method and path is a bug.
  void add(Route route);

  struct Match {
    const Route* route = nullptr;
    PathValues path;
  };
  struct NotAllowed {
    std::string allow;  // "GET, POST"
  };
  // nullopt of the variant's meaning: monostate is 404.
  std::variant<std::monostate, NotAllowed, Match> find(http::Method method, std::string_view target) const;

  const std::vector<std::unique_ptr<Route>>& routes() const { return routes_; }

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  std::vector<std::unique_ptr<Route>> routes_;
};

}  // namespace starling::hub
