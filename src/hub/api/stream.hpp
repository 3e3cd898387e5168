// Purpose: /api/v1/stream: every change in order, without loss or repeat from any revision on, and the newest
// reported state of each device.
// Owner: Api. Thread: the hub's. Lifetime: observes the ChangeLog and the Sessions, which outlive it.
//
// A subscriber is a place in the log (`sent`) that moves up to the head: from the ring of newest changes if
// they are still there, else read from the store. A slow one simply stays behind and is read on from the
// store; nothing is queued for it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "hub/api/services.hpp"

namespace starling::hub {

class Stream : public ChangeObserver, public PresenceObserver {
 public:
  struct Options {
    std::size_t ring = 4096;               // newest changes of a fleet kept in memory as they are sent,
    std::size_t ring_bytes = 16u << 20;    // as long as they are no larger than this
    std::size_t queue_bytes = 256 * 1024;  // a subscriber with more unsent waits
    std::size_t slice = 32;                // reported states made in one turn
    Seconds ping{15};
  };
  Stream(Services& services, Executor& executor, Options options);
  ~Stream() override;
  void add_to(Router& router);

  void tick();  // every second
  void stop();
  std::size_t subscribers() const { return subscribers_.size(); }

  void on_change(const SharedChange& change, const FleetState& state) override;
  void on_reported(const std::string& fleet, const std::string& device_id) override;

 private:
  struct Kept {
    SharedChange change;
    std::string data;  // for who may see everything; made for the first of them
  };
  struct Ring {
    std::deque<Kept> changes;  // without gaps up to the published revision
    std::size_t bytes = 0;     // of their data
  };
  struct Subscriber;
  using SharedSubscriber = std::shared_ptr<Subscriber>;

  Reply open(const Call& call);
  void subscribe(SharedSubscriber subscriber);
  void pump(const SharedSubscriber& subscriber);
  bool send_changes(Subscriber& subscriber);
  void read_on(const SharedSubscriber& subscriber);
  void send_reported(Subscriber& subscriber);
  void send_device(Subscriber& subscriber, const std::string& device_id);
  void pump_later(const SharedSubscriber& subscriber);
  bool room(const Subscriber& subscriber) const;
  void send_change(Subscriber& subscriber, const Change& change);
  void send_kept(Subscriber& subscriber, Ring& ring, Kept& kept);
  void end_streams_of_changed_keys(const Change& change);
  void end_streams_of_expired_keys();
  std::string event_id(std::int64_t revision) const;

  Services& services_;
  Executor& executor_;
  Options options_;
  std::map<std::string, Ring, std::less<>> rings_;
  std::vector<SharedSubscriber> subscribers_;
  SteadyTime next_ping_{};
  // Ends callbacks that come back when the stream is gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace starling::hub
