// The part of a session that settles what was edited on the device.
#include "hub/device_link/device_session.hpp"
#include "hub/settings/writes.hpp"

namespace starling::hub {

using ws::CloseCode;

namespace {

// What the device edited becomes a change to its layer, or a conflict that keeps it out. `refusal` says that
// the edit itself was judged and found wanting; any other failure of the append has decided nothing.
ChangeLog::Plan settlement(std::string device_id, protocol::PendingEdit edit, std::optional<Json> kept,
                           std::shared_ptr<std::optional<std::string>> refusal) {
  return [device_id = std::move(device_id), edit = std::move(edit), kept = std::move(kept),
          refusal = std::move(refusal)](const FleetState& head, std::int64_t) -> Result<Draft> {
    refusal->reset();
    const Device* device = head.device(device_id);
    if (device == nullptr)
      return fail(ErrorCode::not_found, "no device is registered as '" + device_id + "'");
    Proposal proposal = plan_proposal(head, *device, edit, kept);
    if (!proposal.accepted) {
      *refusal = std::move(proposal.message);
      return fail(ErrorCode::conflict, "refused");
    }
    Draft draft;
    draft.actor = {"device:" + device_id, device->name};
    draft.action = "settings.propose";
    draft.edits = std::move(proposal.edits);
    return draft;
  };
}

}  // namespace

void DeviceSession::settle(const std::vector<protocol::PendingEdit>& edits) {
  unsettled_ += edits.size();
  const DeviceRecord* record = sessions_.records_.find(request_.device_id, record_);
  const SharedQuarantine quarantine = record == nullptr ? nullptr : DeviceFacts::quarantine_in(record->facts);
  for (const protocol::PendingEdit& edit : edits) {
    ++sessions_.counters_.proposals;
    const auto refusal = std::make_shared<std::optional<std::string>>();
    const QuarantinedSetting* kept = quarantine ? find(*quarantine, edit.key) : nullptr;
    auto plan = settlement(request_.device_id, edit,
                           kept == nullptr ? std::nullopt : std::optional(kept->value), refusal);
    sessions_.log_.append(request_.fleet, std::move(plan),
                          [this, alive = alive_, edit, refusal](const Result<SharedChange>& outcome) {
                            if (*alive) settled(edit, outcome, *refusal);
                          });
  }
  if (unsettled_ == 0 && state_ == State::settling) go_live();
}

void DeviceSession::settled(const protocol::PendingEdit& edit, const Result<SharedChange>& outcome,
                            const std::optional<std::string>& refusal) {
  --unsettled_;
  if (state_ == State::ended || state() == nullptr || device() == nullptr) return;
  protocol::ConfigProposed answer;
  answer.id = edit.id;
  answer.accepted = outcome.has_value();
  if (outcome) {
    answer.revision = *outcome ? (*outcome)->revision : state()->revision();
  } else if (!refusal) {
    // Nobody has decided: the device keeps the edit and proposes it again in its next session.
    return refuse({CloseCode::try_again_later, "unavailable", outcome.error().message, true});
  } else {
    answer.message = *refusal;
    if (auto standing = effective_value(*state(), *device(), edit.key)) answer.hub_value = standing->value;
  }
  send(std::move(answer));
  if (unsettled_ > 0) return;
  state_ == State::settling ? go_live() : refresh();
}

void DeviceSession::go_live() {
  state_ = State::live;
  take_open_actions();
  refresh();
}

void DeviceSession::handle(const protocol::ConfigPropose& message) {
  if (unsettled_ + message.edits.size() > sessions_.options_.max_unsettled) {
    return refuse({CloseCode::try_again_later, "unavailable",
                   "too many edits of this device wait to be settled: propose them again later", true});
  }
  settle(message.edits);
}

}  // namespace starling::hub
