// Purpose: one rollout: what its devices report, and the time, in; the next record of it out. Sans-I/O.
// Owner: the hub's rollouts. Thread: the hub's. Lifetime: until it has ended, or the hub starts again: all
// that it must remember is in its record and in what devices report.
//
// It never changes its record by itself: a step gives the next one, which becomes a change of the log, and
// adopt() takes over what has been committed. So a lost race, or a commit that fails, loses nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hub/rollouts/rollout_progress.hpp"
#include "hub/rollouts/rollout_record.hpp"

namespace starling::hub {

// Errors of all: failed_precondition (its state does not allow it).
class Rollout {
 public:
  explicit Rollout(RolloutRecord record);

  void adopt(RolloutRecord record);
  const RolloutRecord& record() const { return record_; }
  // With the states that are not kept.
  RolloutState state() const;

  // ---- its devices: those that one of its layers reaches
  void put(const Device& device, bool connected);
  void remove(const std::string& device) { progress_.remove(device); }
  void heard(const std::string& device, Outcome outcome) { progress_.heard(device, std::move(outcome)); }
  const RolloutProgress& progress() const { return progress_; }

  // ---- what time and devices bring about
  // The next record if there is one now: a stage opens, it has finished, or it has failed.
  std::optional<RolloutRecord> due(WallTime now) const;
  // The same if it has failed, by those devices alone that are known of.
  std::optional<RolloutRecord> failure() const;
  // The same record with how the devices stand now: what remains of a rollout that ends.
  RolloutRecord summed_up(RolloutRecord record) const;
  // When the stage will have soaked; nullopt: nothing but news of devices, or a person, is waited for.
  std::optional<WallTime> soaked_at() const;

  // ---- what people do
  // Further errors: permission_denied (the author's own), already_exists.
  Result<RolloutRecord> approve(const std::string& principal, WallTime now) const;
  Result<RolloutRecord> pause(std::string why) const;
  Result<RolloutRecord> resume() const;
  Result<RolloutRecord> abort(std::string why) const;
  // By a rollout of the same settings, which this one's devices wait for.
  Result<RolloutRecord> supersede(std::string heir) const;
  // Its heir was taken back: it goes on, or is held as it was. What its devices have is looked at anew.
  Result<RolloutRecord> take_up() const;
  // Its heir has finished, or its settings are written past it.
  Result<RolloutRecord> release(std::string why) const;

 private:
  Result<RolloutRecord> after(RolloutEvent event) const;
  bool is_approved(std::size_t stage) const;
  bool has_settled() const;
  bool has_failed() const;

  RolloutRecord record_;
  RolloutProgress progress_;
};

}  // namespace starling::hub
