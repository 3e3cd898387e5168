#include "hub/device_link/sessions.hpp"

#include <algorithm>
#include <array>

#include "base/json_text.hpp"
#include "hub/device_link/device_session.hpp"
#include "protocol/merge_patch.hpp"

namespace starling::hub {

namespace {

constexpr std::int64_t flat = -1;  // in the place of a revision, among the frames

constexpr std::array<std::string_view, 8> status_names{"in_sync", "pending",  "staging", "provisional",
                                                       "refused", "reverted", "drifted", "offline"};

// Two and a half intervals after the last heartbeat.
std::int64_t silent_from_ms(const DeviceRecord& record, Seconds heartbeat) {
  return record.last_seen_ms + Milliseconds(heartbeat).count() * 5 / 2;
}

}  // namespace

std::string_view to_string(SyncStatus status) {
  return status_names.at(static_cast<std::size_t>(status));
}

Sessions::Sessions(ChangeLog& log, DeviceRecords& records, Documents& documents, Executor& executor,
                   const Clock& clock, Logger logger, Options options)
    : log_(log),
      records_(records),
      documents_(documents),
      executor_(executor),
      clock_(clock),
      logger_(logger),
      options_(options) {
  log_.observe(*this);
}

Sessions::~Sessions() {
  log_.stop_observing(*this);
}

std::unique_ptr<ws::Session> Sessions::accept(LinkRequest request) {
  return std::make_unique<DeviceSession>(*this, std::move(request));
}

void Sessions::enter(DeviceSession& session) {
  DeviceSession*& current = by_device_[session.device_id()];
  DeviceSession* const older = std::exchange(current, &session);
  if (older == nullptr) ++online_[session.fleet()];
  if (older != nullptr && older != &session) {
    end_logs(session.device_id(), "the device has connected anew");
    older->end(ws::CloseCode::superseded, "superseded", "a newer session of this device took over", true);
  }
  // What was said over REST before holds no longer: from now on presence comes from the link.
  const DeviceRecord* record = records_.find(session.device_id());
  if (record != nullptr && record->rest_status == "online") {
    records_.edit(session.fleet(), session.device_id()).rest_status.clear();
  }
  reported(session.fleet(), session.device_id());
}

bool Sessions::has_handshaken(const std::string& device_id) const {
  const auto found = by_device_.find(device_id);
  return found != by_device_.end() && !found->second->is_flat();
}

void Sessions::leave(DeviceSession& session) {
  connections_.erase(session.arrival);
  if (session.waiting_to_refresh) {
    std::ranges::replace(refresh_, &session, static_cast<DeviceSession*>(nullptr));
    session.waiting_to_refresh = false;
  }
  const auto found = by_device_.find(session.device_id());
  if (found == by_device_.end() || found->second != &session) return;
  by_device_.erase(found);
  --online_[session.fleet()];
  end_logs(session.device_id(), "the device has gone offline");
  if (stopping_) return;
  reported(session.fleet(), session.device_id());
  const DeviceRecord* record = records_.find(session.device_id());
  if (record != nullptr && present_by_rest(*record)) watch_silence(*record);
}

bool Sessions::online(const std::string& device_id) const {
  return by_device_.contains(device_id);
}

std::size_t Sessions::online_count(std::string_view fleet) const {
  const auto found = online_.find(fleet);
  return found == online_.end() ? 0 : found->second;
}

bool Sessions::present(const Device& device) const {
  if (online(device.id)) return true;
  const DeviceRecord* record = records_.find(device.id);
  return record != nullptr && present_by_rest(*record);
}

bool Sessions::present_by_rest(const DeviceRecord& record) const {
  if (record.rest_status.empty() || record.rest_status == "offline") return false;
  return now_ms() < silent_from_ms(record, options_.heartbeat);
}

void Sessions::watch_silence(const DeviceRecord& record) {
  silence_.watch(record.device_id, silent_from_ms(record, options_.heartbeat));
}

void Sessions::heard_by_rest(const DeviceRecord& record) {
  if (present_by_rest(record)) watch_silence(record);
  reported(record.fleet, record.device_id);
}

void Sessions::watch_records(const StoredHub& stored) {
  for (const StoredFleet& fleet : stored.fleets) {
    for (const DeviceRecord& record : fleet.records) {
      if (present_by_rest(record)) watch_silence(record);
    }
  }
}

// Some have spoken since they were put on the watch: they are looked at again. Some have a link by now: the
// watch goes on when it ends. Some have said themselves that they go: that was told then.
void Sessions::announce_silent() {
  const std::int64_t now = now_ms();
  while (const auto device_id = silence_.take_due(now)) {
    const DeviceRecord* record = records_.find(*device_id);
    if (record == nullptr || online(*device_id)) continue;
    if (present_by_rest(*record)) {
      watch_silence(*record);
    } else if (record->rest_status != "offline") {
      reported(record->fleet, record->device_id);
    }
  }
}

SyncStatus SyncStatuses::whole() const {
  for (const SyncStatus status : {SyncStatus::refused, SyncStatus::reverted, SyncStatus::drifted,
                                  SyncStatus::pending, SyncStatus::staging, SyncStatus::provisional}) {
    if (settings == status || modules == status || software == status) return status;
  }
  return settings;
}

SyncStatuses Sessions::sync_statuses(const Device& device) {
  const auto found = by_device_.find(device.id);
  if (found != by_device_.end()) return found->second->sync_statuses();
  const SyncStatus status = present(device) ? SyncStatus::pending : SyncStatus::offline;
  return {status, status, status};
}

void Sessions::observe(PresenceObserver& observer) {
  observers_.push_back(&observer);
}

void Sessions::stop_observing(PresenceObserver& observer) {
  std::erase(observers_, &observer);
}

void Sessions::reported(const std::string& fleet, const std::string& device_id) {
  for (PresenceObserver* observer : observers_)
    observer->on_reported(fleet, device_id);
}

void Sessions::on_change(const SharedChange& change, const FleetState& state) {
  frames_.clear();
  for (const Edit& edit : change->edits) {
    if (edit.kind == EntityKind::action) {
      const auto action = state.actions().find(edit.id);
      if (action != state.actions().end()) deliver(*action->second, state);
    }
    if (edit.kind == EntityKind::device && edit.after.is_null()) {
      const auto found = by_device_.find(edit.id);
      if (found != by_device_.end()) {
        found->second->end(ws::CloseCode::unauthorized, "unknown_device", "this device was removed", false);
      }
      records_.erase(edit.id);
    }
  }
  const ChangeScope scope = scope_of(*change);
  for (const std::string& device_id : scope.devices) {
    const auto found = by_device_.find(device_id);
    if (found == by_device_.end()) continue;
    found->second->forget_class();
    refresh_later(*found->second);
  }
  if (!scope.whole_fleet) return;
  for (const auto& [device_id, session] : by_device_) {
    if (session->fleet() == state.fleet()) refresh_later(*session);
  }
}

void Sessions::deliver(const ActionRequest& action, const FleetState& state) {
  if (!action.device.empty()) {
    const auto found = by_device_.find(action.device);
    if (found != by_device_.end()) found->second->send_action(action);
    return;
  }
  for (const auto& [device_id, session] : by_device_) {
    if (session->fleet() == state.fleet()) session->send_action(action);
  }
}

void Sessions::refresh_later(DeviceSession& session) {
  if (session.waiting_to_refresh) return;
  session.waiting_to_refresh = true;
  refresh_.push_back(&session);
  if (refresh_.size() > 1) return;
  sent_before_refresh_ = counters_.updates_sent;
  executor_.post([this] { refresh_slice(); });
}

// A few sessions in each turn, so that REST and other devices never wait for a fan-out.
void Sessions::store_soon() {
  if (std::exchange(storing_soon_, true)) return;
  executor_.post([this] {
    storing_soon_ = false;
    records_.flush();
  });
}

void Sessions::refresh_slice() {
  const std::size_t end = std::min(refresh_.size(), refresh_next_ + options_.slice);
  for (; refresh_next_ < end; ++refresh_next_) {
    DeviceSession* const session = refresh_[refresh_next_];
    if (session == nullptr) continue;
    session->waiting_to_refresh = false;
    refresh_[refresh_next_] = nullptr;
    session->refresh();
  }
  if (refresh_next_ < refresh_.size()) {
    executor_.post([this] { refresh_slice(); });
    return;
  }
  refresh_.clear();
  refresh_next_ = 0;
  frames_.clear();
  const std::uint64_t sent = counters_.updates_sent - sent_before_refresh_;
  if (sent > 0) logger_.info("settings sent", {{"devices", sent}});
}

ws::SharedFrame Sessions::update_frame(const DesiredSection& section, const SharedSection& base,
                                       std::int64_t as_of) {
  ws::SharedFrame& frame = frames_[{section.name, base ? base->hash : Digest{}, section.hash, as_of}];
  if (!frame) {
    protocol::ConfigUpdate update;
    update.section = section.name;
    update.revision = as_of;
    update.hub_generation = log_.generation();
    update.hash = section.hash;
    if (base) update.base = base->hash;
    frame = ws::make_text_frame(protocol::encode_config_update(
        update, base ? json_text(protocol::make_merge_patch(base->json, section.json)) : section.text));
  }
  return frame;
}

ws::SharedFrame Sessions::flat_frame(const DesiredSection& section, const FleetState& state) {
  ws::SharedFrame& frame = frames_[{section.name, Digest{}, section.hash, flat}];
  if (frame) return frame;
  std::vector<std::shared_ptr<const protocol::Component>> components;
  for (const auto& [name, component] : state.catalog().components())
    components.push_back(component);
  const auto document = protocol::SettingsDocument::from_json(section.json);
  const JsonObject payload = document ? protocol::flat_payload(components, *document) : JsonObject{};
  frame = ws::make_text_frame(protocol::encode_flat_update(json_text(payload)));
  return frame;
}

// A session that ends leaves the map meanwhile, and newer ones come behind.
template <typename Visit>
void Sessions::for_each_connection(Visit visit) {
  const std::uint64_t last = arrivals_;
  for (auto next = connections_.begin(); next != connections_.end() && next->first <= last;) {
    const std::uint64_t arrival = next->first;
    visit(*next->second);
    next = connections_.upper_bound(arrival);
  }
}

void Sessions::tick() {
  frames_.clear();
  const SteadyTime now = clock_.steady();
  for_each_connection([&](DeviceSession& session) { session.tick(now); });
  announce_silent();
}

void Sessions::stop() {
  stopping_ = true;
  for_each_connection([](DeviceSession& session) {
    session.end(ws::CloseCode::going_away, "going_away", "the hub stops", true);
  });
}

}  // namespace starling::hub
