// Purpose: the few questions that the simulator asks a hub's public API. Owner: the socket mode.
// Thread: the io_context's. Lifetime: one run.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <string>
#include <vector>

#include "base/http/client.hpp"
#include "fleetsim/socket_fleet.hpp"
#include "protocol/component.hpp"

namespace starling::fleetsim {

// How the hub says that a device stands.
struct DeviceStanding {
  std::string status;  // of design section 4: in_sync, pending, refused, ...
  Digest desired;
  Digest running;
  std::size_t errors = 0;  // of a refusal, by key
};

class HubApi {
 public:
  HubApi(boost::asio::any_io_executor executor, const HubAccess& hub);

  // Errors of all: those of http::Client, unavailable with the hub's own words for any other answer.
  boost::asio::awaitable<Result<protocol::Catalog>> catalog();
  // Sets hotword.threshold for the whole fleet; gives the revision.
  boost::asio::awaitable<Result<std::int64_t>> change_threshold(double value);
  boost::asio::awaitable<Result<std::map<std::string, DeviceStanding>>> simulated_devices();

 private:
  boost::asio::awaitable<Result<Json>> ask(http::Method method, std::string target, std::string body);

  http::Client client_;
  std::string key_;
};

}  // namespace starling::fleetsim
