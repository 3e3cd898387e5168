// The part of a session that keeps what the device refuses from holding up everything else.
#include <boost/json/serialize.hpp>

#include <utility>

#include "hub/device_link/device_session.hpp"
#include "hub/settings/explain.hpp"

namespace starling::hub {

using protocol::Section;

// What it refuses of the settings that are desired of it stays as it is there, and the rest is offered. Of
// another document nothing is concluded: a newer one is on its way, and will be refused as well.
void DeviceSession::set_apart(const protocol::ConfigStatus& message) {
  const DesiredDocument* document = desired();
  const SharedSection running = offer(Section::settings).running;
  if (document == nullptr || !running || document->settings->hash != message.target) return;
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  KeptSettings kept = document->settings->apart;
  const KeptSettings more = sessions_.documents_.kept_after_refusal(
      *state(), *device(), declared_by(*state(), &record), *running, message.errors);
  if (more.empty()) return;
  kept.insert(kept.end(), more.begin(), more.end());
  const bool too_many = boost::json::serialize(to_json(kept)).size() > max_quarantine_bytes;
  if (too_many || !keep_apart(std::move(kept))) return;
  for (const KeptSetting& each : more) {
    sessions_.logger_.warning(
        "a setting stays as it is on a device that refuses it",
        {{"device", request_.device_id}, {"key", each.key}, {"revision", each.revision}, {"why", each.why}});
  }
}

bool DeviceSession::keep_apart(KeptSettings kept) {
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  const auto stored = sessions_.records_.change_facts(record, [&](DeviceFacts& facts) {
    facts.quarantine = std::move(kept);
    facts.errors.clear();
  });
  if (stored) forget_class();
  return stored.has_value();
}

// All of it is offered once more.
void DeviceSession::lift_quarantine() {
  const DeviceRecord* record = sessions_.records_.find(request_.device_id, record_);
  if (record == nullptr || !DeviceFacts::quarantine_in(record->facts)) return;
  keep_apart({});
  offer(Section::settings).refused_hash = {};
}

void DeviceSession::try_refused_again() {
  lift_quarantine();
  offer(Section::settings).refused_hash = {};
  refresh();
}

// What other changes decide now is not kept any longer.
const DesiredDocument* DeviceSession::without_what_is_over(const DesiredDocument* document) {
  if (document == nullptr || !quarantine_ || document->settings->apart.size() == quarantine_->size())
    return document;
  keep_apart(document->settings->apart);
  sessions_.reported(request_.fleet, request_.device_id);
  const DesiredDocument* rest = desired();
  // The same values may be wanted again, by another change.
  Digest& refused = offer(Section::settings).refused_hash;
  if (rest != nullptr && rest->settings->hash == refused) refused = {};
  return rest;
}

}  // namespace starling::hub
