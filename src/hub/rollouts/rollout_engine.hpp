// Purpose: moves the rollouts of all fleets: tells each of its devices and what they report, and makes a
// change of the log of what is due.
// Owner: Hub. Thread: the hub's. Lifetime: what it is given outlives it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "hub/device_link/sessions.hpp"
#include "hub/rollouts/rollout.hpp"
#include "hub/settings/documents.hpp"
#include "hub/settings/scope.hpp"

namespace starling::hub {

class RolloutEngine final : public ChangeObserver, public PresenceObserver {
 public:
  // What was on its way when the hub started waits for the devices to come back first.
  static constexpr Seconds grace_after_start{30};

  RolloutEngine(ChangeLog& log, DeviceRecords& records, Documents& documents, Sessions& sessions,
                const Clock& clock, Logger logger);
  ~RolloutEngine() override;

  void load();  // once the log and the records are
  void tick();  // every second

  // One that has not ended; nullptr: none such. What its devices report is known a tick or a few later.
  const Rollout* find(std::string_view fleet, std::string_view id) const;

  void on_change(const SharedChange& change, const FleetState& state) override;
  void on_reported(const std::string& fleet, const std::string& device_id) override;

 private:
  struct Running {
    Rollout rollout;
    Sections sections;          // that its values belong to
    std::vector<Scope> scopes;  // of its layers
    SteadyTime not_before{};
    bool is_stepping = false;  // its next record is being committed
  };
  struct Fleet {
    std::map<std::string, Running, std::less<>> running;
    std::unordered_set<std::string> unseen;  // devices to look at
  };

  static void take_over(const FleetState& state, Fleet& fleet, const std::string& id);
  static void look_at_all(const FleetState& state, Fleet& fleet);
  void look_at(const FleetState& state, const std::string& device_id, Running& running) const;
  Outcome outcome_of(const FleetState& state, const Device& device, const Running& running) const;
  static Outcome outcome_of(const DeviceRecord& record, const DesiredDocument& desired, Sections sections);
  void step(const std::string& fleet, const std::string& id, Running& running);
  void stepped(const std::string& fleet, const std::string& id, const Result<SharedChange>& outcome);

  ChangeLog& log_;
  DeviceRecords& records_;
  Documents& documents_;
  Sessions& sessions_;
  const Clock& clock_;
  Logger logger_;
  std::map<std::string, Fleet, std::less<>> fleets_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // completions of appends look at it
};

}  // namespace starling::hub
