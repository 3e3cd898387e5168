// Purpose: one connection between a device and the hub, with the faults that real ones have: delay, loss of
// the connection on either side, and half-open ones, on which everything sent vanishes. Owner: shared by the
// messages under way. Thread: one. Lifetime: until both ends have let go.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/ws/websocket.hpp"
#include "fleetsim/deterministic/world.hpp"

namespace starling::fleetsim {

class VirtualLink final : public std::enable_shared_from_this<VirtualLink> {
 public:
  // The device's end.
  struct DeviceEnd {
    std::function<void(std::string_view)> received;
    std::function<void()> pinged;
    std::function<void(std::string_view)> closed;
  };
  VirtualLink(World& world, DeviceEnd device) : world_(world), device_(std::move(device)) {}

  void open(std::unique_ptr<ws::Session> hub_session);

  void send_from_device(std::string text);
  void close_from_device();  // the hub's session learns of it, unless the link is half-open
  void cut();                // both ends learn of it, each in its time
  void make_half_open() { half_open_ = true; }
  void device_gone();  // the device's process has died: its end hears nothing more
  void hub_gone();     // the hub's process has died: its session is gone at once

 private:
  // The hub's end as its session sees it.
  class HubPeer final : public ws::Peer {
   public:
    explicit HubPeer(VirtualLink& link) : link_(link) {}
    void send(ws::SharedFrame frame) override;
    void send_text(std::string_view text) override;
    void ping() override;
    void close(ws::CloseCode code, std::string_view reason) override;
    void abort() override;
    std::size_t queued_bytes() const override { return 0; }
    std::string_view address() const override { return "virtual"; }

   private:
    VirtualLink& link_;
  };

  // Runs `work` at the other end after a delay, in the order of sending.
  void carry(Milliseconds& last_arrival, std::function<void()> work);
  void end_hub_session(ws::CloseCode code);
  void end_device(std::string reason);

  World& world_;
  DeviceEnd device_;
  bool device_listens_ = true;
  bool half_open_ = false;
  Milliseconds last_to_hub_{0};
  Milliseconds last_to_device_{0};
  HubPeer peer_{*this};
  std::unique_ptr<ws::Session> session_;
};

}  // namespace starling::fleetsim
