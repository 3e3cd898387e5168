// Purpose: many simulated devices in one process, each with a connection of its own from one of many loopback
// addresses: enrolment and connecting are done for them here, a bounded number at a time.
// Owner: the socket mode. Thread: the io_context's. Lifetime: stop() completes before destruction.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/http/client.hpp"
#include "base/log.hpp"
#include "base/task_group.hpp"
#include "fleetsim/socket_device.hpp"

namespace starling::fleetsim {

struct HubAccess {
  http::Url url;
  http::TlsTrust trust;
  std::string key;  // may enrol devices and, if changes are to be made, change settings
};

class SocketFleet final : private DeviceNetwork {
 public:
  static constexpr std::size_t max_enrolling = 16;
  static constexpr std::size_t max_connecting = 512;
  static constexpr std::size_t devices_per_address = 1'000;

  SocketFleet(boost::asio::any_io_executor executor, const Clock& clock, HubAccess hub,
              const protocol::Catalog& catalog, Logger log);

  // Errors: those of SocketDevice::make.
  Result<void> start(std::size_t count);
  boost::asio::awaitable<void> stop();

  const std::vector<std::unique_ptr<SocketDevice>>& devices() const { return devices_; }
  std::size_t connected() const;  // sessions that the hub has welcomed
  // The last reason why a device could not enrol or connect; empty if none ever could not.
  const std::string& last_failure() const { return last_failure_; }

 private:
  void enrol(SocketDevice& device) override;
  void connect(SocketDevice& device, const std::string& token) override;
  boost::asio::awaitable<void> enrol_queued();
  boost::asio::awaitable<void> enrol_one(http::Client& client, SocketDevice& device);
  boost::asio::awaitable<void> hold_connection(SocketDevice& device, std::string token);
  boost::asio::awaitable<void> tick_devices();
  void connect_queued();
  void failed(SocketDevice& device, const Error& why);

  struct Dial {
    SocketDevice* device = nullptr;
    std::string token;
  };
  class Opening;

  boost::asio::any_io_executor executor_;
  const Clock& clock_;
  HubAccess hub_;
  const protocol::Catalog& catalog_;
  Logger log_;
  std::vector<std::unique_ptr<SocketDevice>> devices_;
  std::deque<SocketDevice*> to_enrol_;
  std::deque<Dial> to_connect_;
  std::size_t enrolling_ = 0;
  std::size_t connecting_ = 0;
  std::string last_failure_;
  TaskGroup tasks_;
};

}  // namespace starling::fleetsim
