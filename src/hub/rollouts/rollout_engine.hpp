// Purpose: moves the rollouts of all fleets: tells each of its devices and what they report, and makes a
// change of the log of what is due.
// Owner: Hub. Thread: the hub's. Lifetime: what it is given outlives it.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "hub/device_link/sessions.hpp"
#include "hub/executor.hpp"
#include "hub/rollouts/rollout.hpp"
#include "hub/rollouts/rollout_judge.hpp"
#include "hub/settings/documents.hpp"
#include "hub/settings/scope.hpp"

namespace starling::hub {

class RolloutEngine final : public ChangeObserver, public PresenceObserver {
 public:
  // What was on its way when the hub started waits for the devices to come back first.
  static constexpr Seconds grace_after_start{30};
  // Looking at devices goes in turns of the loop, so that nobody waits for it, and takes this much at most of
  // each second; the rest is looked at in the next.
  static constexpr Milliseconds longest_turn{2};
  static constexpr Milliseconds longest_look{200};

  RolloutEngine(ChangeLog& log, DeviceRecords& records, Documents& documents, Sessions& sessions,
                Executor& executor, const Clock& clock, Logger logger);
  ~RolloutEngine() override;

  void load();  // once the log and the records are
  void tick();  // every second

  // One that has not ended; nullptr: none such. What its devices report is known a tick or a few later.
  const Rollout* find(std::string_view fleet, std::string_view id) const;

  void on_change(const SharedChange& change, const FleetState& state) override;
  void on_reported(const std::string& fleet, const std::string& device_id) override;

 private:
  struct Running {
    explicit Running(RolloutRecord record);
    Rollout rollout;
    WrittenNames names;
    Sections sections;          // that its values belong to
    std::vector<Scope> scopes;  // of its layers
    // So many devices are to be looked at, from Fleet::next on and around: since something changed that all
    // of them may differ by, and since none of them was known.
    std::size_t to_look_at = 0;
    std::size_t unknown = 0;
    SteadyTime not_before{};
    bool is_stepping = false;  // its next record is being committed
  };
  struct Fleet {
    std::map<std::string, Running, std::less<>> running;
    std::unordered_set<std::string> heard_of;  // devices to look at before all others
    Place next = 0;
  };

  static void take_over(const FleetState& state, Fleet& fleet, const std::string& id);
  // Groups may have changed, or whatever else the outcome of any device follows from.
  static void look_at_all(const FleetState& state, Fleet& fleet);
  static bool concerns_all(const Change& change, const Fleet& fleet);
  // One turn; then the next, until all are seen or the time is over.
  void look();
  // Gives whether there is nothing more to look at.
  bool look(const FleetState& state, Fleet& fleet, SteadyTime until) const;
  void decide();
  void look_at(const FleetState& state, const std::string& device_id, Running& running) const;
  void step(const std::string& fleet, Running& running, const RolloutRecord& next);
  void stepped(const std::string& fleet, const std::string& id, const Result<SharedChange>& outcome);

  ChangeLog& log_;
  DeviceRecords& records_;
  Documents& documents_;
  Sessions& sessions_;
  Executor& executor_;
  const Clock& clock_;
  Logger logger_;
  std::map<std::string, Fleet, std::less<>> fleets_;
  bool is_looking_ = false;                                     // a turn is to come
  std::chrono::nanoseconds looked_{};                           // since the last tick
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // completions of appends look at it
};

}  // namespace starling::hub
