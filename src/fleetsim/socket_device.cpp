#include "fleetsim/socket_device.hpp"

namespace starling::fleetsim {

class SocketDevice::Session final : public ws::Session {
 public:
  Session(SocketDevice& device, std::uint64_t attempt) : device_(device), attempt_(attempt) {}

  void on_open(ws::Peer& peer) override {
    if (!current()) return peer.close(ws::CloseCode::normal, "superseded here");
    device_.peer_ = &peer;
    device_.core_->link().opened();
  }
  void on_text(std::string_view text) override {
    if (current()) device_.core_->link().received(text);
  }
  void on_ping() override {
    if (current()) device_.core_->link().alive();
  }
  void on_close(ws::CloseCode, std::string_view reason) override {
    if (!current()) return;
    device_.peer_ = nullptr;
    ++device_.attempt_;
    device_.core_->link().closed(reason);
  }

 private:
  bool current() const { return device_.attempt_ == attempt_; }

  SocketDevice& device_;
  std::uint64_t attempt_;
};

Result<std::unique_ptr<SocketDevice>> SocketDevice::make(Origin origin, DeviceNetwork& network,
                                                         const Clock& clock, const protocol::Catalog& catalog,
                                                         JsonObject capabilities) {
  std::unique_ptr<SocketDevice> device(new SocketDevice(std::move(origin), network));
  agent::DeviceOptions options;
  options.board_serial = device->origin_.serial;
  options.seed = device->origin_.seed;
  options.link.agent_version = STARLING_VERSION;
  options.link.boot_id = agent::SeededRandom(device->origin_.seed).uuid();
  options.link.capabilities = std::move(capabilities);
  agent::RandomIdentityMaker maker(clock);
  auto core = agent::DeviceCore::load(device->disk_, clock, catalog, maker, *device, *device,
                                      std::move(options), nullptr);
  if (!core) return fail(core);
  device->core_ = std::move(*core);
  return device;
}

std::unique_ptr<ws::Session> SocketDevice::new_session() {
  return std::make_unique<Session>(*this, attempt_);
}

void SocketDevice::connect_failed(const Error& why) {
  core_->link().attempt_failed(why);
}

void SocketDevice::connect(std::string_view token) {
  ++attempt_;
  network_.connect(*this, std::string(token));
}

void SocketDevice::send(std::string_view text) {
  if (peer_ != nullptr) peer_->send_text(text);
}

void SocketDevice::close(std::string_view reason) {
  ++attempt_;
  if (peer_ != nullptr) std::exchange(peer_, nullptr)->close(ws::CloseCode::normal, reason);
}

}  // namespace starling::fleetsim
