// The part of a session that keeps what the device refuses from holding up everything else.
#include <utility>

#include "hub/device_link/device_session.hpp"
#include "hub/settings/explain.hpp"
#include "hub/settings/refusal.hpp"

namespace starling::hub {

using protocol::Section;

// What it refuses of the settings that are desired of it stays as it is there, and the rest is offered. Of
// another document nothing is concluded: a newer one is on its way, and will be refused as well.
void DeviceSession::quarantine(const protocol::ConfigStatus& message) {
  const DesiredDocument* document = desired();
  const SharedSection running = offer(Section::settings).running;
  if (document == nullptr || !running || document->settings->hash != message.target) return;
  const FleetState& fleet_state = *state();
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  Declared declared = declared_by(fleet_state, &record);
  const DocumentRefusal refusal{*running, message.running_revision, fleet_state.revision(), message.errors};
  const Quarantine more = sessions_.documents_.quarantined_by(refusal, fleet_state, *device(), declared);
  Quarantine kept;
  if (declared.quarantine) kept = *declared.quarantine;
  std::erase_if(kept, [&](const QuarantinedSetting& each) { return find(more, each.key) != nullptr; });
  kept.insert(kept.end(), more.begin(), more.end());
  if (more.empty() || bytes_of(kept) > max_quarantine_bytes) return;
  declared.quarantine = std::make_shared<const Quarantine>(kept);
  const bool helps =
      sessions_.documents_.desired(fleet_state, *device(), declared).settings->hash != message.target;
  if (!helps || !keep_quarantine(std::move(kept))) return;
  sessions_.logger_.warning("settings that a device refuses stay as they are there",
                            {{"device", request_.device_id},
                             {"settings", more.size()},
                             {"first", more.front().key},
                             {"why", more.front().why}});
}

Result<void> DeviceSession::keep_quarantine(Quarantine kept) {
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  const auto stored = sessions_.records_.change_facts(record, [&](DeviceFacts& facts) {
    facts.quarantine = std::move(kept);
    facts.errors.clear();
  });
  if (stored) forget_class();
  sessions_.store_soon();  // whoever waits for the answer is told at once
  return stored;
}

// All of it is offered once more. What cannot be stored is in the log of the records, and stays.
void DeviceSession::lift_quarantine() {
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  if (DeviceFacts::quarantine_in(record.facts)) (void)keep_quarantine({});
  record.settings.refused = offer(Section::settings).refused_hash = {};
  sessions_.reported(request_.fleet, request_.device_id);
}

// What other changes decide now is not kept any longer.
void DeviceSession::end_what_is_over() {
  const DesiredDocument* document = desired();
  if (document == nullptr || !quarantine_) return;
  const DesiredSection& settings = *document->settings;
  if (settings.quarantined.size() == quarantine_->size()) return;
  Quarantine kept = *quarantine_;
  std::erase_if(kept, [&](const QuarantinedSetting& each) { return !settings.holds_back(each.key); });
  if (!keep_quarantine(std::move(kept))) return;
  sessions_.reported(request_.fleet, request_.device_id);
  // The same values may be wanted again, by another change.
  document = desired();
  Digest& refused = offer(Section::settings).refused_hash;
  if (document != nullptr && document->settings->hash == refused) refused = {};
}

// An agent repeats its last status after the welcome. If that document is offered once more, this is no
// answer to it; nor can it be told from one of who repeats nothing, so that it is offered again.
bool DeviceSession::has_told_again(const protocol::ConfigStatus& message) {
  Offer& offered = offer(message.section);
  if (message.phase == protocol::Phase::staging) return false;
  const Digest told = std::exchange(offered.told_refused, {});
  return told && told == message.target && told == offered.offered_hash;
}

}  // namespace starling::hub
