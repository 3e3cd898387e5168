// Purpose: keeps the device's modules as wanted: takes commands, what the keeper and the modules say, and the
// time; starts, stops and restarts in order. Sans-I/O. Owner: Agent. Thread: one. Lifetime: a start of the
// agent; everything passed in outlives it.
//
// Every public call ends with the modules reconciled, observers in step and answers given, in this order;
// what is called back may call in again.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/config_mirror.hpp"
#include "agent/supervisor/order.hpp"
#include "agent/supervisor/session_recovery.hpp"
#include "agent/supervisor/supervised_module.hpp"
#include "base/log.hpp"

namespace starling::agent {

struct SupervisorAlert {
  enum class Kind { crash_loop, memory_hold, needs_help, died_together };
  Kind kind{};
  std::vector<std::string> modules;  // sorted
  std::string text;
};

constexpr std::string_view to_string(SupervisorAlert::Kind kind) {
  constexpr std::array<std::string_view, 4> names{"crash_loop", "memory_hold", "needs_help", "died_together"};
  return names[static_cast<std::size_t>(kind)];
}

// Hears of everything at the end of the call that made it.
class SupervisorListener {
 public:
  virtual ~SupervisorListener() = default;
  virtual void modules_changed() = 0;                        // journal() and statuses() have news
  virtual void module_removed(std::string_view module) = 0;  // the last of its processes has ended, too
  virtual void module_came_up(std::string_view module) = 0;  // was started, and has become ready
  virtual void module_died(std::string_view module, const DeathReport& report, bool unexpected) = 0;
  // The generation goes back to what it was, and the hub is told.
  // `waited`: in vain, for a module that it requires.
  virtual void enable_reverted(std::string_view module, std::string_view why, bool waited) = 0;
  virtual void alert(const SupervisorAlert& alert) = 0;
};

class SupervisorCore final : private ModuleHost {
 public:
  static constexpr Milliseconds health_check{5'000};  // should the keeper's word have been lost
  static constexpr Milliseconds file_pause{250};      // between writes of what follows from the states
  static constexpr Milliseconds together{2'000};
  static constexpr Milliseconds longest_silence{60'000};
  static constexpr std::size_t together_count = 3;
  static constexpr Milliseconds after_stop{15'000};  // from the last module's deadline to the agent's end

  SupervisorCore(ProcessPorts ports, DeathExaminer& examiner, SessionRecovery& recovery, ConfigMirror& mirror,
                 SupervisorListener& listener, SeededRandom random, Logger log);
  ~SupervisorCore() override;

  // ---- the modules there are; before the first attached() nothing starts
  // A manifest that cannot be used makes a visible module with its error.
  // `proved`: what is enabled has been ready once; else it is being enabled, and that may be taken back.
  void add(const std::string& name, Result<ModuleManifest> manifest, bool enabled, bool proved = true);
  // What an earlier agent knew of a module that was added.
  void remember(std::string_view name, std::string quarantine, std::optional<DeathReport> last_death) {
    find(name)->remember(std::move(quarantine), std::move(last_death));
  }
  void replace_manifest(std::string_view name, Result<ModuleManifest> manifest);
  void remove(std::string_view name);

  // ---- what is wanted
  // What is asked for is on disk before any of it is done, with one write for all. Errors in the answers:
  // not_found, and those of Answered.
  void command(std::vector<Commanded> commands);
  void command(std::string_view name, ModuleCommand command, Answered answered);
  void settings_changed(std::string_view name);
  void set_memory_short(bool memory_short);    // starts wait
  void files_changed();                        // by somebody else
  void write_files();                          // that are behind: the agent ends
  void shut_down(std::function<void()> done);  // all modules, the dependent first; wants stay as they are

  // ---- the keeper's word
  void attached(std::span<const KeptChild> children);
  void spawned(const KeptChild& child);
  void spawn_failed(const SpawnFailure& failure);
  void exited(std::string_view id, const ChildExit& exit);
  void main_taken(std::string_view id, std::int32_t pid, std::uint64_t start_time);
  void main_refused(std::string_view id, std::int32_t pid, int error);
  void lost() { attached_ = false; }

  // ---- the modules' words
  void notified(std::string_view id, const NotifyMessage& message);
  void notified_wrongly(std::string_view id, std::string_view why);
  void said_hello(std::string_view name);
  void said_recording(std::string_view name, bool recording, std::string_view status);
  void said_wrongly(std::string_view name, std::string_view why);
  void tree_changed(std::string_view name);  // perhaps it is empty now

  void tick();
  std::optional<SteadyTime> next_deadline() const;

  std::vector<ModuleStatus> statuses() const;
  std::optional<ModuleStatus> status(std::string_view name) const;
  bool is_present(std::string_view id) const;        // that child is the present one of its module
  bool is_enabled(std::string_view name) const;      // false: or there is none
  bool is_provisional(std::string_view name) const;  // the same
  bool is_held_up(std::string_view name) const;      // the same
  bool is_ending(std::string_view name) const;       // the same
  // Removed ones of which something lives still.
  const std::set<std::string, std::less<>>& leaving() const { return leaving_; }
  bool is_quarantined(std::string_view name) const;  // the same
  const TransitionJournal& journal() const { return journal_; }

 private:
  using Modules = std::map<std::string, std::unique_ptr<SupervisedModule>, std::less<>>;
  class Turn {  // of a public call: the outermost settles at its end what all of them did
   public:
    explicit Turn(SupervisorCore& core) : core_(core) { ++core_.turns_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    SupervisorCore& core_;
  };

  // ModuleHost
  ProcessPorts process_ports() override { return ports_; }
  DeathExaminer& examiner() override { return examiner_; }
  void transitioned(Transition transition) override;
  void died(std::string_view module, const DeathReport& report, EndedFor why) override;
  void fell_silent(std::string_view module, Milliseconds silence) override;
  void slower(std::string_view module, RetryPace pace, std::string_view why) override;
  void reverted(std::string_view module, std::string_view why, bool waited) override;
  void unkillable(std::string_view module, std::string_view why) override;
  void ended_after_all(std::string_view module) override;
  void misunderstood(std::string_view module, std::string_view why) override;
  void answer(Answered answered, Result<ModuleState> result) override;

  SupervisedModule* find(std::string_view name) const;
  SupervisedModule* find_run(std::string_view id, std::uint64_t& run) const;
  void put_in_order();
  bool order_has_changed() const;
  void ask(Commanded wish);
  void begin(std::span<const KeptChild> children);
  void take_over(std::span<const KeptChild> children, const StartPlan& plan);
  void compare(std::span<const KeptChild> children, bool reconnected);
  void exited_meanwhile(SupervisedModule& module, std::uint64_t run, const KeptChild& child);
  void end_run(const KeptChild& child);
  void sweep_leftovers();
  void end_gone(const KeptChild& child, const RunName& name);
  SupervisedModule& add_gone(const std::string& module);
  void settle();
  void wake_dependents();
  StartGate gate_of(const SupervisedModule& module) const;
  StartGate gate_of_shutdown(const SupervisedModule& module) const;
  void check_requirements(const ModuleManifest& manifest, StartGate& gate) const;
  std::optional<StartGate> held_back_by(std::string_view required) const;
  std::string absent_requirement(const SupervisedModule& module) const;
  void check_order(const ModuleManifest& manifest, StartGate& gate) const;
  bool is_coming(std::string_view name) const;
  std::vector<ModuleStatus> staying() const;  // without what is leaving
  void sync_session();
  void sync_files();
  void tell_stop_time();
  void check_health();
  void note_death(std::string_view module, Milliseconds silence);
  void alert(SupervisorAlert::Kind kind, std::vector<std::string> modules, std::string text);
  void deliver();

  ProcessPorts ports_;
  DeathExaminer& examiner_;
  SessionRecovery& recovery_;
  ConfigMirror& mirror_;
  SupervisorListener& listener_;
  SeededRandom random_;
  Logger log_;

  Modules modules_;
  std::vector<std::string> sequence_;  // a module comes later than those it waits for
  std::vector<std::string> by_older_;  // modules that ran by an older manifest when that was made
  std::set<std::string, std::less<>> leaving_;
  std::set<std::string, std::less<>> unproved_;
  std::set<std::string, std::less<>> unsettled_;
  std::map<std::string, StartGate, std::less<>> held_back_;  // a requirement of theirs is not wanted
  TransitionJournal journal_;
  bool begun_ = false;
  bool attached_ = false;
  bool memory_short_ = false;
  std::optional<std::function<void()>> shut_down_;
  SteadyTime told_down_by_{};  // the keeper, while all modules end
  std::optional<SteadyTime> health_check_at_;
  bool files_behind_ = false;
  SteadyTime files_after_{};     // not written before
  bool session_behind_ = false;  // of what is said only once
  std::optional<SteadyTime> files_retry_at_;

  struct Ended {
    SteadyTime at;
    std::string module;
    bool shared;  // with others
  };
  std::deque<Ended> ended_;  // unasked, within the longest silence
  struct Together {          // the last of what several died of
    std::set<std::string> modules;
    bool forgiven = false, counted = false;  // to one of them at least
  };
  Together together_;

  int turns_ = 0;  // public calls on the stack
  bool changed_ = false;
  std::ptrdiff_t ending_ = 0;                   // so many modules are, for good
  std::set<std::string> came_up_;               // since the last settle()
  std::vector<std::function<void()>> outbox_;   // for the listener
  std::vector<std::function<void()>> answers_;  // for those who asked, who find the listener knowing
};

}  // namespace starling::agent
