// The part of a session that serves a client without a protocol version.
#include "hub/device_link/device_session.hpp"
#include "hub/device_link/link_errors.hpp"

namespace starling::hub {

using ws::CloseCode;

// Nothing but the upgrade request speaks for this client. So it may neither stand for a device that can sign
// nor take the place of a session that has had a handshake.
void DeviceSession::open_flat(SteadyTime now) {
  const Device* known = device();
  const bool may_enter = known != nullptr && known->public_key.empty();
  if (!may_enter || sessions_.has_handshaken(request_.device_id)) {
    sessions_.logger_.warning("a client without a protocol version was turned away",
                              {{"device", request_.device_id}});
    state_ = State::ended;
    return may_enter ? peer_->close(CloseCode::superseded, "superseded")
                     : peer_->close(CloseCode::unauthorized, "unauthorized");
  }
  state_ = State::flat;
  deadline_ = now + sessions_.options_.ping_interval;
  sessions_.enter(*this);
  seen();
  send_flat();
}

// Nothing that such a client says has an effect; it is told what could not be read, within reason.
void DeviceSession::hear_flat(std::string_view text) {
  const auto message = protocol::decode_from_device(text);
  const auto* unknown = message ? std::get_if<protocol::Unknown>(&*message) : nullptr;
  if (message && unknown == nullptr) return;
  ++sessions_.counters_.bad_messages;
  if (complaints_left_ == 0 || is_congested()) return;
  --complaints_left_;
  send(unknown != nullptr ? unknown_type(*unknown) : bad_message(message.error()));
}

void DeviceSession::send_flat() {
  const DesiredDocument* document = desired();
  if (document == nullptr) return;
  const SharedSection& target = document->settings;
  Digest& offered_hash = offer(protocol::Section::settings).offered_hash;
  if (target->hash == offered_hash) return;
  if (is_congested()) return;
  peer_->send(sessions_.flat_frame(*target, *state()));
  ++sessions_.counters_.updates_sent;
  offered_hash = target->hash;
}

}  // namespace starling::hub
