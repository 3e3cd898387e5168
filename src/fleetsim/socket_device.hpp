// Purpose: one simulated device over real sockets: the agent's real core on a disk in memory.
// Owner: SocketFleet. Thread: the io_context's. Lifetime: the simulation; its network outlives it.
#pragma once

#include <memory>
#include <string>

#include "agent/device_core.hpp"
#include "agent/fake_disk.hpp"
#include "base/clock.hpp"
#include "base/ws/websocket.hpp"

namespace starling::fleetsim {

class SocketDevice;

// Carries out what a device wants from the network; each call is answered once.
class DeviceNetwork {
 public:
  virtual ~DeviceNetwork() = default;
  virtual void enrol(SocketDevice& device) = 0;  // then enrolled() or attempt_failed()
  virtual void connect(SocketDevice& device,
                       const std::string& token) = 0;  // then opened() or attempt_failed()
};

class SocketDevice final : private agent::LinkOutput, private agent::ModuleOutput {
 public:
  struct Origin {
    std::size_t number = 0;
    std::uint64_t seed = 0;
    std::string serial;
  };
  // Errors: those of DeviceCore::load.
  static Result<std::unique_ptr<SocketDevice>> make(Origin origin, DeviceNetwork& network, const Clock& clock,
                                                    const protocol::Catalog& catalog,
                                                    JsonObject capabilities);

  void start() { core_->connect(); }
  void tick() { core_->tick(); }
  agent::DeviceCore& core() { return *core_; }
  const agent::DeviceCore& core() const { return *core_; }
  std::size_t number() const { return origin_.number; }

  // The session of one connection; what comes after the device has closed it or opened another is dropped.
  std::unique_ptr<ws::Session> new_session();
  // The connection could not be made, or has ended before it was one.
  void connect_failed(const Error& why);

 private:
  class Session;

  SocketDevice(Origin origin, DeviceNetwork& network) : origin_(std::move(origin)), network_(network) {}

  void enrol() override { network_.enrol(*this); }
  void connect(std::string_view token) override;
  void send(std::string_view text) override;
  void close(std::string_view reason) override;
  void send_line(agent::ModuleId, std::string_view) override {}
  void drop(agent::ModuleId) override {}

  Origin origin_;
  DeviceNetwork& network_;
  agent::FakeDisk disk_;
  ws::Peer* peer_ = nullptr;   // of the current connection, between its on_open and on_close
  std::uint64_t attempt_ = 0;  // grows with each connect() and close()
  std::unique_ptr<agent::DeviceCore> core_;
};

}  // namespace starling::fleetsim
