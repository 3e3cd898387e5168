// The part of a session that takes over what the device says of itself.
#include "hub/device_link/device_session.hpp"

namespace starling::hub {

void DeviceSession::keep(const JsonObject& facts) {
  ToldFacts told = ToldFacts::read(facts);
  auto plan = told_facts_plan(request_.device_id, told);
  sessions_.log_.append(request_.fleet, std::move(plan),
                        [this, alive = alive_, told = std::move(told)](const Result<SharedChange>& outcome) {
                          if (*alive) kept(told, outcome);
                        });
}

// Without this answer the device tells the same again in its next handshake.
void DeviceSession::kept(const ToldFacts& told, const Result<SharedChange>& outcome) {
  if (state_ == State::ended || device() == nullptr) return;
  if (!outcome) {
    sessions_.logger_.warning("what a device says of itself could not be stored",
                              {{"device", request_.device_id}, {"error", outcome.error().message}});
    return;
  }
  std::vector<protocol::KeyError> errors = told.errors;
  if (told.metadata) {
    DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
    const auto stored =
        sessions_.records_.change_facts(record, [&](DeviceFacts& facts) { facts.metadata = *told.metadata; });
    if (!stored) errors.push_back({"metadata", stored.error().message});
  }
  send(protocol::FactsKept{std::move(errors)});
}

}  // namespace starling::hub
