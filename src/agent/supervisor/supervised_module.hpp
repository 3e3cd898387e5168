// Purpose: one module as it is kept: which state, why, until when, and what is done to its process. Sans-I/O.
// Owner: SupervisorCore. Thread: one. Lifetime: as long as the module's folder is there.
//
// Commands say only what is wanted; reconcile() moves towards it whenever something happened. So the newest
// command wins whatever it overtakes: a restart is a stop with the module still wanted, and a stop that
// overtakes it takes the want away. Each command and each start begins an epoch; what an older run of the
// process still has to say is dropped.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/supervisor/deaths/death.hpp"
#include "agent/supervisor/folders/manifest.hpp"
#include "agent/supervisor/keeper/keeper_port.hpp"
#include "agent/supervisor/module_process.hpp"
#include "agent/supervisor/module_status.hpp"
#include "agent/supervisor/notify/notify.hpp"
#include "agent/supervisor/processes/tree_port.hpp"
#include "agent/supervisor/restart_policy.hpp"
#include "agent/supervisor/session_recovery.hpp"
#include "agent/supervisor/start_gate.hpp"
#include "agent/supervisor/transition_journal.hpp"
#include "base/result.hpp"

namespace starling::agent {

// The settled state, or why it is not what was asked for. Errors: conflict (overtaken by a newer command),
// failed_precondition (it failed; an enable is reverted), unavailable (it waits for something else).
using Answered = std::function<void(const Result<ModuleState>&)>;

struct Commanded {
  std::string module;
  ModuleCommand command{};
  Answered answered;  // may be empty
};

// What a module's machine has around it.
class ModuleHost {
 public:
  virtual ~ModuleHost() = default;
  virtual ProcessPorts process_ports() = 0;
  virtual DeathExaminer& examiner() = 0;
  virtual void transitioned(Transition transition) = 0;
  virtual void died(std::string_view module, const DeathReport& report, EndedFor why) = 0;
  virtual void fell_silent(std::string_view module, Milliseconds silence) = 0;  // having worked before
  virtual void slower(std::string_view module, RetryPace pace, std::string_view why) = 0;
  // `waited`: in vain, for a module that it requires.
  virtual void reverted(std::string_view module, std::string_view why, bool waited) = 0;
  virtual void unkillable(std::string_view module, std::string_view why) = 0;
  virtual void ended_after_all(std::string_view module) = 0;                      // one that was
  virtual void misunderstood(std::string_view module, std::string_view why) = 0;  // what it says
  virtual void answer(Answered answered, Result<ModuleState> result) = 0;  // later, not from within the call
};

class SupervisedModule {
 public:
  // Of an enable: at least, and as long as the attempt that is on may take; its clock stands while a gate
  // holds the module.
  static constexpr Milliseconds trial_time{30'000};
  static constexpr int trial_attempts = 3;
  static constexpr Milliseconds abort_grace{5'000};  // from SIGABRT to SIGKILL
  static constexpr int exit_not_configured = 78;     // EX_CONFIG: somebody has to act
  static constexpr std::size_t max_problem_bytes = 256;
  static constexpr std::string_view unkillable_text =
      "something of it lives, although it has been killed for 30 s and still is: it waits for a device or a "
      "disk that does not answer, or the keeper is away. See to what it works with, or start the device anew";

  SupervisedModule(std::string name, Result<ModuleManifest> manifest, bool enabled, ModuleHost& host,
                   SeededRandom random);

  // ---- what is wanted
  void command(ModuleCommand command, Answered answered);
  void begin(Cause cause, bool provisional);  // wanted from the start of the agent
  void begin_down(Cause cause);               // as an earlier agent left it: finished, or stopped
  void remember(std::string quarantine, std::optional<DeathReport> last_death);  // of an earlier agent's time
  void adopt(const KeptChild& child, std::uint64_t run, const OutlivedRun& former);
  void replace_manifest(Result<ModuleManifest> manifest);  // in force from the next start
  void refuse(std::string why);                            // its order makes no sense; empty: it does
  void settings_changed();
  void skip_to(std::uint64_t epoch) { epoch_ = std::max(epoch_, epoch); }  // used up by an earlier agent
  void retry_now(Cause cause);                                             // if it waits for its next attempt
  void retire();                                                           // its folder is gone
  void sweep();  // ends what an earlier agent's or keeper's time left of it
  void reconcile(const StartGate& gate);

  // ---- what became of its process; other runs than the present one are dropped
  void spawned(std::uint64_t run, std::int32_t pid, std::uint64_t start_time);
  void spawn_failed(std::uint64_t run, const SpawnFailure& failure);
  void exited(std::uint64_t run, const ChildExit& exit);
  void main_taken(std::uint64_t run, std::int32_t pid, std::uint64_t start_time);
  void main_refused(std::uint64_t run, std::int32_t pid, int error);
  void keeper_came_back() { process_.name_main_again(); }
  void vanished();  // the keeper does not know the process any more
  void tree_changed();

  // ---- what it says
  void notified(std::uint64_t run, const NotifyMessage& message);
  void said_hello();
  void said_recording(bool recording, std::string_view status);
  void misunderstood(std::string_view why);  // what it said; the last counts, until its next start

  void tick();
  std::optional<SteadyTime> next_deadline() const;
  bool forgive() { return policy_.forgive(); }

  const std::string& name() const { return name_; }
  ModuleState state() const { return state_; }
  bool enabled() const { return enabled_; }
  bool provisional() const { return trial_.has_value(); }
  bool wanted() const { return wanted_; }
  const std::string& quarantine() const { return quarantine_; }
  bool has_process() const { return process_.exists(); }
  bool is_down() const { return state_ == ModuleState::disabled && !has_tree(); }
  SteadyTime down_by() const;  // at the latest, if it is stopped now or is being stopped
  // For good, unless somebody enables it; what does not end is not waited for.
  bool is_ending() const {
    const bool for_good = !enabled_ || stop_cause_ == Cause::removed;
    return for_good && !wanted_ && !is_down() && !unkillable_;
  }
  bool is_reloading() const { return said_.reloading_until.has_value(); }
  bool is_present(std::uint64_t run) const { return process_.is_present(run); }
  std::int32_t pid() const { return process_.pid(); }
  StartGate::Wait wait() const { return wait_; }
  const std::string& waits_for() const { return waits_for_; }
  // As in ModuleStatus.
  std::optional<Milliseconds> own_watchdog() const;
  std::optional<SteadyTime> extended_deadline() const;
  bool is_held_up() const { return wait_ == StartGate::Wait::requirement; }  // until somebody does something
  // The newest, which may not be the one that the process was started with.
  const Result<ModuleManifest>& manifest() const { return next_manifest_ ? *next_manifest_ : manifest_; }
  // That its process was started with, or that was there when the agent took it over; else the newest.
  const Result<ModuleManifest>& manifest_in_force() const { return has_process() ? manifest_ : manifest(); }
  bool runs_by_older() const { return has_process() && next_manifest_; }
  bool has_given_up() const { return is_failed(state_) && !retry_at_; }  // until somebody does something
  const std::string& detail() const { return detail_; }
  bool is_broken() const { return !manifest() || !refusal_.empty(); }  // a start can only fail
  ModuleStatus status() const;

 private:
  struct Trial {  // an enable that has not been ready yet
    SteadyTime until{};
    int attempts_left = trial_attempts;
    void outlast(SteadyTime deadline) { until = std::max(until, deadline); }
  };
  struct Pending {  // the newest command, while unanswered
    ModuleCommand command{};
    Answered answered;
    std::optional<Error> verdict;  // told once the module is down
  };

  void begin_trial();
  std::optional<SteadyTime> trial_ends_at() const;  // nullopt: none is on, or it waits
  void wait_at(const StartGate& gate);
  void end_wait();
  void overtake(ModuleCommand command, Answered answered);
  void settle_answer();
  void answer(Result<ModuleState> result);
  std::optional<SteadyTime> answer_by() const;
  void look_whether_unkillable();
  bool start_due() const;
  void start();
  void begin_stop(Cause cause);
  void became_ready(Cause cause);
  void failed(ModuleEvent event, Cause cause, std::string detail, FailureKind kind);
  bool has_finished(const ChildExit& exit) const;
  void finish();
  void exited_unasked(const ChildExit& exit, const DeathReport& report);
  std::string failure_text(std::string_view why) const;
  std::string with_last_line(std::string why) const;
  void revert(std::string why, bool waited = false);
  void end_process(EndedFor why);
  void watchdog_missed(std::string why);
  void feed_watchdog();
  void reloads();
  void extend(Milliseconds by);
  bool apply(ModuleEvent event, Cause cause, std::string detail = {});
  void publish(ModuleState from);
  bool settled() const;
  // Its process was started with another manifest than the newest.
  bool manifest_pending() const {
    return has_process() && !process_.mark().empty() && manifest() && process_.mark() != newest_mark_;
  }
  // It lives, and could not be started again.
  bool runs_on_broken() const { return is_broken() && (state_ == ModuleState::starting || is_ready(state_)); }
  bool has_tree() const { return process_.phase() != ModuleProcess::Phase::none; }
  SteadyTime now() const { return clock_.steady(); }

  std::string name_;
  Result<ModuleManifest> manifest_;
  std::optional<Result<ModuleManifest>> next_manifest_;
  std::string newest_mark_;  // of manifest()
  std::string refusal_;
  ModuleHost& host_;
  const Clock& clock_;
  RestartPolicy policy_;
  ModuleProcess process_;

  bool enabled_;
  bool wanted_ = false;
  bool finished_ = false;
  bool unkillable_ = false;  // its process: as it seems
  std::optional<Trial> trial_;
  std::string quarantine_;  // why the last enable was reverted
  std::optional<Pending> pending_;
  StartGate::Wait wait_ = StartGate::Wait::nothing;
  std::string waits_for_;
  std::optional<SteadyTime>
      waits_since_;  // at a gate, which is then the only thing that keeps it from starting

  ModuleState state_ = ModuleState::disabled;
  SteadyTime since_{};
  Cause cause_ = Cause::none;
  std::string detail_;
  Cause start_cause_ = Cause::none;  // of the next start and stop
  Cause stop_cause_ = Cause::disabled;
  std::uint64_t epoch_ = 0;
  int attempt_ = 0;
  int starts_ = 0, restarts_ = 0;
  std::optional<SteadyTime> retry_at_;  // error, crashed

  bool swept_ = false;         // nothing of an earlier agent's or keeper's time lives
  bool may_be_ready_ = false;  // the process, of an earlier agent's time: nobody knows
  bool was_ready_ = false;     // the process has been
  bool owes_restart_ = false;  // settings changed while it could not be started again
  SteadyTime started_at_{}, stop_began_at_{};
  std::optional<SteadyTime> start_deadline_, ready_at_;  // starting
  Milliseconds watchdog_{0};
  std::optional<SteadyTime> watchdog_at_;  // idle, recording
  bool fed_watchdog_ = false;              // in this run
  struct Said {                            // by the process, of itself
    std::string status;
    std::optional<SteadyTime> reloading_until;
    SteadyTime reloading_since{};
    std::int32_t main_pid = 0;  // that the keeper cannot take
    std::int32_t error = 0, exit_status = 0;
    std::string problem;
  };
  Said said_;
  std::string limits_note_;  // of the process: what of its limits is not in force
  std::optional<DeathReport> last_death_;
};

}  // namespace starling::agent
