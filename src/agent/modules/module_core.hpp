// Purpose: the agent's end of the module protocol: which modules are there, what each hears, and asking all
// of them before settings change. Sans-I/O: lines in, lines out, a clock. Owner: DeviceCore. Thread: one.
// Lifetime: as long as the device runs.
//
// A module is asked only about settings that it named. Silence until its deadline is a refusal. After the
// commit point nothing can refuse: `commit` is repeated until it is acknowledged, then the connection is
// dropped, and the module finds its settings when it says hello again.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/settings/settings_core.hpp"
#include "agent/update/activity_tracker.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/module_messages.hpp"
#include "protocol/modules_document.hpp"

namespace starling::agent {

enum class ModuleId : std::uint32_t {};

// What the core does to connections.
class ModuleOutput {
 public:
  virtual ~ModuleOutput() = default;
  // Without its line feed. A connection that turns out broken is reported later, never from within the call.
  virtual void send_line(ModuleId module, std::string_view line) = 0;
  virtual void drop(ModuleId module) = 0;  // after what was sent; closed() is not called for it
};

// What modules want from the device.
class ModuleListener {
 public:
  virtual ~ModuleListener() = default;
  virtual const Values& values_for_modules() const = 0;
  // The full key of a key or alias; a component's name is itself. Errors: invalid_argument (unknown).
  virtual Result<std::string> setting_named(std::string_view name) const = 0;
  virtual void module_set(JsonObject values, std::function<void(const Result<void>&)> done) = 0;
  virtual void modules_changed() = 0;                      // report() gives something else
  virtual void module_arrived(std::string_view name) = 0;  // it has said hello: one more to ask
  virtual void module_said_state(std::string_view name, std::string_view state, std::string_view status) = 0;
  // Whether the process may say hello under this name. Errors: permission_denied.
  virtual Result<void> check_peer(std::string_view name, std::int32_t pid) const = 0;
  // Its connection or a line of it was refused. One that has not said hello has no name.
  virtual void module_refused(std::string_view name, std::int32_t pid, std::string_view why) = 0;
  // For people, after the module's name; empty: there is none of that name.
  virtual std::string why_not_connected(std::string_view name) const = 0;
  virtual void module_failing(std::string_view name) = 0;  // comes and goes: does not live with its settings
};

class ModuleCore final : public ModulePort {
 public:
  static constexpr Milliseconds longest_greeting{10'000};  // from the connection to hello
  static constexpr Milliseconds default_prepare{2'000};
  static constexpr Milliseconds longest_prepare{10'000};
  static constexpr Milliseconds commit_repeat{1'000};
  static constexpr int commit_tries = 5;
  static constexpr Milliseconds longest_action{30'000};  // until a module answers
  static constexpr std::size_t max_actions = 64;         // that wait for an answer
  static constexpr int crash_loop = 3;  // disconnections of one that was told the settings in force
  static constexpr std::size_t max_status_bytes = 512;
  static constexpr std::size_t max_modules = protocol::max_modules + 16;  // and some started by hand

  ModuleCore(const Clock& clock, ModuleOutput& output, ModuleListener& listener, Logger log)
      : clock_(clock), output_(output), listener_(listener), log_(log), activity_(clock.steady()) {}

  // ---- events of connections
  // `pid` is the peer's, as the kernel says. Errors: rate_limited (too many; close it).
  Result<ModuleId> opened(std::int32_t pid);
  void line(ModuleId id, std::string_view text);
  void too_long(ModuleId id);
  void closed(ModuleId id);
  void tick();
  std::optional<SteadyTime> next_deadline() const;

  // ---- ModulePort
  Answer prepare(const Values& next, std::span<const std::string> changed, Prepared answered) override;
  Answer commit(const Values& next, std::span<const std::string> changed, Committed done) override;
  void rollback() override;

  // Asks a connected module to do something once. Errors: not_found (there is none of that name),
  // rate_limited, unavailable (it went away, or did not answer in time), failed_precondition (it is not
  // connected, or what it says).
  using Acted = std::function<void(Result<JsonObject>)>;
  void act(std::string_view module, std::string action, JsonObject parameters, Acted done);

  // Name → recording state and status text, as modules gave them.
  JsonObject report() const;
  std::size_t count() const { return modules_.size(); }
  bool is_connected(std::string_view name) const;  // and has said hello
  // What modules say of the device's use; the agent adds its own.
  ActivityTracker& activity() { return activity_; }

 private:
  enum class Phase { greeting, running, asked, agreed, refused, committing };
  struct Module {
    Phase phase = Phase::greeting;
    std::int32_t pid = 0;
    std::string name;
    std::vector<std::string> names;  // components and keys that it named
    Milliseconds prepare_time{default_prepare};
    Digest target;                   // asked, agreed, committing: what was prepared
    std::vector<std::string> asked;  // about these
    SteadyTime deadline{};           // while greeting, asked or committing
    int tries = 0;
    std::string state, status;
    std::string refusal;  // the last that was told
  };
  using Modules = std::map<ModuleId, Module>;
  struct Asked {  // to act
    ModuleId module{};
    SteadyTime deadline{};
    Acted done;
  };

  void hello(ModuleId id, Module& module, const protocol::module::Hello& hello);
  void prepared(ModuleId id, Module& module, const protocol::module::Prepared& answer);
  void committed(ModuleId id, Module& module, const protocol::module::Committed& answer);
  void said(ModuleId id, Module& module, const protocol::module::State& said);
  void reported(ModuleId id, const Module& module, const protocol::module::Report& report);
  void set(ModuleId id, const protocol::module::Set& set);
  void acted(ModuleId id, const protocol::module::ActionResult& answer);
  void fail_actions(const std::function<bool(const Asked&)>& which, const std::string& why);
  void refuse(ModuleId id, std::string message, bool fatal);
  void drop(ModuleId id);
  void send(ModuleId id, const protocol::module::FromAgent& message);
  void send_settings(ModuleId id, const Module& module, const Values& values);
  void refuse_asked(Module& module, const std::string& why);
  void check_prepared();
  void check_committed();
  static bool names_one_of(const Module& module, std::span<const std::string> keys);
  static JsonObject heard_by(const Module& module, const Values& values);

  const Clock& clock_;
  ModuleOutput& output_;
  ModuleListener& listener_;
  Logger log_;
  Modules modules_;
  std::uint32_t next_id_ = 1;
  std::map<std::string, Asked, std::less<>> asked_;  // by the id that the module was given
  std::uint64_t next_action_ = 1;
  Prepared answered_;    // set while modules are being asked
  Committed committed_;  // set while commits are unacknowledged
  std::vector<protocol::KeyError> errors_;
  std::vector<std::string> changed_;                  // by the last commit
  std::map<std::string, int, std::less<>> failures_;  // of the modules that were told of it
  ActivityTracker activity_;
};

}  // namespace starling::agent
