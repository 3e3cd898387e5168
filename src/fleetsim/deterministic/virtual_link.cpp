#include "fleetsim/deterministic/virtual_link.hpp"

#include <algorithm>
#include <utility>

namespace starling::fleetsim {

namespace {

// RFC 6455 section 5.2: what a client reads out of an unmasked frame.
std::string payload_of(const std::string& frame) {
  const auto length = static_cast<unsigned char>(frame.at(1));
  const std::size_t header = length < 126 ? 2 : length == 126 ? 4 : 10;
  return frame.substr(header);
}

// Messages whose bytes differ from run to run, because they carry nonces, signatures or tokens.
bool holds_randomness(std::string_view text) {
  return text.starts_with(R"({"type":"challenge")") || text.starts_with(R"({"type":"handshake")") ||
         text.starts_with(R"({"type":"welcome")");
}

}  // namespace

void VirtualLink::carry(Milliseconds& last_arrival, std::function<void()> work) {
  if (half_open_) return;
  const Milliseconds arrival = std::max(last_arrival, world_.now() + world_.between(1, 40));
  last_arrival = arrival;
  world_.after(arrival - world_.now(), [self = shared_from_this(), work = std::move(work)] {
    if (!self->half_open_) work();
  });
}

void VirtualLink::open(std::unique_ptr<ws::Session> hub_session) {
  session_ = std::move(hub_session);
  session_->on_open(peer_);
}

void VirtualLink::send_from_device(std::string text) {
  if (!holds_randomness(text)) world_.stir(text);
  carry(last_to_hub_, [this, text = std::move(text)] {
    if (session_) session_->on_text(text);
  });
}

void VirtualLink::close_from_device() {
  device_listens_ = false;
  carry(last_to_hub_, [this] { end_hub_session(ws::CloseCode::normal); });
}

void VirtualLink::cut() {
  carry(last_to_hub_, [this] { end_hub_session(ws::CloseCode::abnormal); });
  carry(last_to_device_, [this] { end_device("connection reset"); });
}

void VirtualLink::device_gone() {
  device_listens_ = false;
  // A dead process's sockets are closed by its kernel; a dead board's are not.
  if (world_.chance(50)) {
    carry(last_to_hub_, [this] { end_hub_session(ws::CloseCode::abnormal); });
  } else {
    half_open_ = true;
  }
}

void VirtualLink::hub_gone() {
  session_.reset();
  carry(last_to_device_, [this] { end_device("connection reset"); });
}

void VirtualLink::end_hub_session(ws::CloseCode code) {
  if (!session_) return;
  const std::unique_ptr<ws::Session> session = std::move(session_);
  session->on_close(code, "");
}

void VirtualLink::end_device(std::string reason) {
  if (!std::exchange(device_listens_, false)) return;
  device_.closed(reason);
}

void VirtualLink::HubPeer::send(ws::SharedFrame frame) {
  send_text(payload_of(*frame));
}

void VirtualLink::HubPeer::send_text(std::string_view text) {
  if (!holds_randomness(text)) link_.world_.stir(text);
  link_.carry(link_.last_to_device_, [link = &link_, text = std::string(text)] {
    if (link->device_listens_) link->device_.received(text);
  });
}

void VirtualLink::HubPeer::ping() {
  link_.carry(link_.last_to_device_, [link = &link_] {
    if (!link->device_listens_) return;
    link->device_.pinged();
    link->carry(link->last_to_hub_, [link] {
      if (link->session_) link->session_->on_pong();
    });
  });
}

void VirtualLink::HubPeer::close(ws::CloseCode code, std::string_view reason) {
  link_.carry(link_.last_to_device_,
              [link = &link_, reason = std::string(reason)] { link->end_device(reason); });
  // The answer of the other end, or 2 s without it (base/ws).
  link_.world_.after(Milliseconds(link_.half_open_ ? 2'000 : 40),
                     [link = link_.shared_from_this(), code] { link->end_hub_session(code); });
}

void VirtualLink::HubPeer::abort() {
  link_.carry(link_.last_to_device_, [link = &link_] { link->end_device("connection reset"); });
  link_.world_.after(Milliseconds(0),
                     [link = link_.shared_from_this()] { link->end_hub_session(ws::CloseCode::abnormal); });
}

}  // namespace starling::fleetsim
