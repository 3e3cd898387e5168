// Purpose: every connected device: who is online, what each is told, what each has answered.
// Owner: Hub. Thread: the hub's. Lifetime: outlives the connections; stop() closes them first.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/token_bucket.hpp"
#include "base/ws/websocket.hpp"
#include "hub/device_link/device_records.hpp"
#include "hub/device_link/silence_watch.hpp"
#include "hub/executor.hpp"
#include "hub/settings/documents.hpp"
#include "hub/state/change_log.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

// As design section 4 names them.
enum class SyncStatus { in_sync, pending, staging, provisional, refused, reverted, drifted, offline };
std::string_view to_string(SyncStatus status);

// Section by section.
struct SyncStatuses {
  SyncStatus settings = SyncStatus::offline;
  SyncStatus modules = SyncStatus::offline;
  SyncStatus software = SyncStatus::offline;

  SyncStatus section(protocol::Section name) const {
    return name == protocol::Section::modules    ? modules
           : name == protocol::Section::software ? software
                                                 : settings;
  }
  SyncStatus whole() const;  // the one that wants attention first
};

// Told whenever a device's presence or reported state has changed.
class PresenceObserver {
 public:
  virtual ~PresenceObserver() = default;
  virtual void on_reported(const std::string& fleet, const std::string& device_id) = 0;
};

// Who opened the link, as far as the upgrade request proved it.
struct LinkRequest {
  std::string fleet;
  std::string device_id;
  bool token_valid = false;  // else the handshake's proof must do
  int protocol = 0;          // of X-Starling-Protocol; 0: a client written from the documents (flat payload)
};

class DeviceSession;

class Sessions : public ChangeObserver {
 public:
  struct Options {
    Seconds heartbeat{300};
    Seconds ping_interval{20};
    Seconds ping_timeout{10};
    Seconds handshake_timeout{10};
    std::size_t max_queued_bytes = 64 * 1024;  // beyond it a device hears nothing until its queue is empty
    std::size_t slice = 64;                    // devices told in one turn of the loop
    std::chrono::hours token_life{24 * 7};
    Rate messages{50, 1'000};           // from one device, besides the answers to what it is sent
    std::size_t max_unsettled = 2'048;  // edits of one session that wait for the change log
    std::size_t max_log_readers = 4;    // of one device
  };

  Sessions(ChangeLog& log, DeviceRecords& records, Documents& documents, Executor& executor,
           const Clock& clock, Logger logger, Options options);
  ~Sessions() override;

  // The session of an upgraded connection. It finds its device at the handshake (at once for flat clients).
  std::unique_ptr<ws::Session> accept(LinkRequest request);

  bool online(const std::string& device_id) const;
  bool has_handshaken(const std::string& device_id) const;  // online with a session that answers
  std::size_t online_count(std::string_view fleet) const;
  // How the device stands towards its desired document; for devices that only use REST, presence comes from
  // their heartbeats.
  SyncStatuses sync_statuses(const Device& device);
  SyncStatus sync_status(const Device& device) { return sync_statuses(device).whole(); }
  bool present(const Device& device) const;  // link, or a REST heartbeat within 2.5 intervals
  // A device has spoken over REST: its record holds what it said. Observers are told, and once more when it
  // falls silent.
  void heard_by_rest(const DeviceRecord& record);
  // After the records were loaded: those that were present then may fall silent as well.
  void watch_records(const StoredHub& stored);

  // Asks a device for what one of its modules writes; `reader` is called with each answer, the last of which
  // says that it has ended (with `link_lost` because the device has gone), and then no more. The id of
  // `request` is made here and returned. Errors: unavailable (the device has no link), failed_precondition
  // (others read there already).
  using LogReader = std::function<void(const protocol::LogLines&, bool link_lost)>;
  Result<std::string> follow_log(const std::string& device_id, protocol::LogFollow request, LogReader reader);
  // The reader has seen enough.
  void stop_log(const std::string& device_id, const std::string& follow_id);

  void observe(PresenceObserver& observer);
  void stop_observing(PresenceObserver& observer);

  // Pings, timeouts, handshake deadlines, devices that have fallen silent; every second.
  void tick();
  void stop();

  void on_change(const SharedChange& change, const FleetState& state) override;

  const Options& options() const { return options_; }
  struct Counters {
    std::uint64_t handshakes = 0, refused_handshakes = 0, fenced = 0, updates_sent = 0, patches_sent = 0,
                  statuses = 0, proposals = 0, bad_messages = 0;
  };
  const Counters& counters() const { return counters_; }
  std::size_t kept_frames() const { return frames_.size(); }

 private:
  friend class DeviceSession;

  std::int64_t now_ms() const { return clock_.wall().time_since_epoch().count(); }

  // For DeviceSession.
  void enter(
      DeviceSession& session);  // its handshake has succeeded; an older session of the device is fenced off
  void leave(DeviceSession& session);
  void refresh_later(DeviceSession& session);
  void store_soon();  // what the records have to say, in the next turn
  void reported(const std::string& fleet, const std::string& device_id);
  // Labelled with the revision that it is sent at, not with the one that the document was resolved at: a
  // device that comes back to an older document must not take it for a late message.
  ws::SharedFrame update_frame(const DesiredSection& section, const SharedSection& base, std::int64_t as_of);
  // What a client written from the documents is told.
  ws::SharedFrame flat_frame(const DesiredSection& section, const FleetState& state);
  bool present_by_rest(const DeviceRecord& record) const;
  void watch_silence(const DeviceRecord& record);
  void announce_silent();
  void refresh_slice();
  template <typename Visit>
  void for_each_connection(Visit visit);
  void deliver(const ActionRequest& action, const FleetState& state);
  // False: nobody reads that (any more).
  bool has_log_reader(const std::string& device_id, const std::string& follow_id) const;
  void log_read(const std::string& device_id, const protocol::LogLines& lines);
  void end_logs(const std::string& device_id, std::string_view why);

  ChangeLog& log_;
  DeviceRecords& records_;
  Documents& documents_;
  Executor& executor_;
  const Clock& clock_;
  Logger logger_;
  Options options_;
  Counters counters_;
  std::vector<PresenceObserver*> observers_;
  std::unordered_map<std::string, DeviceSession*> by_device_;
  std::map<std::string, std::size_t, std::less<>> online_;  // sessions in by_device_ of each fleet
  std::map<std::uint64_t, DeviceSession*>
      connections_;  // in order of arrival, also those before their handshake
  std::uint64_t arrivals_ = 0;
  SilenceWatch silence_;
  std::vector<DeviceSession*> refresh_;  // sessions to look at in coming turns; nullptr: has gone meanwhile
  std::size_t refresh_next_ = 0;
  std::uint64_t sent_before_refresh_ = 0;
  // By section, base hash, target hash and revision. Kept for those that come in the same second: until a
  // change, the end of a fan-out, or the next tick.
  std::map<std::tuple<protocol::Section, Digest, Digest, std::int64_t>, ws::SharedFrame> frames_;
  std::map<std::string, std::map<std::string, LogReader>> log_readers_;  // by device and follow; few
  bool stopping_ = false;
  bool storing_soon_ = false;
};

}  // namespace starling::hub
