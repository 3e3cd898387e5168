// Purpose: one device without its sockets and disk: identity, settings, modules, actions and link, wired
// together. The agent runs it on real ones; the fleet simulator runs thousands on virtual ones. Owner: Agent
// or the simulator. Thread: one. Lifetime: a start of the device; a restart is a new DeviceCore on the same
// Disk. Everything passed in outlives it.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "agent/assets/asset_core.hpp"
#include "agent/hub_link/link_core.hpp"
#include "agent/modules/module_action.hpp"
#include "agent/modules/module_core.hpp"
#include "agent/settings/retry_settings.hpp"
#include "agent/update/check_updates.hpp"

namespace starling::agent {

struct DeviceOptions {
  std::string board_serial;  // empty: the board has none
  std::uint64_t seed = 0;    // of jitter and identifiers
  SettingsOptions settings;
  LinkOptions link;
  ActionRunners actions;          // what the device can do besides what DeviceCore can; they outlive the core
  UpdatePort* updates = nullptr;  // nullptr: no release is installed; outlives the core, as `timing` does
  InstallTiming* timing = nullptr;  // with `updates`
  AssetFetch* assets = nullptr;     // nullptr: documents that name assets are refused; outlives the core
  Milliseconds release_trial = UpdateOptions{}.provisional;
  std::vector<std::string> left_out;  // of its component files: which, and why
};

// The part of a device that runs its modules, where there is one.
class ModuleSupervision {
 public:
  virtual ~ModuleSupervision() = default;
  virtual bool has(std::string_view module) const = 0;
  virtual void add_to(JsonObject& report) const = 0;
  // Of the settings that its modules use.
  virtual ModuleNames witnesses(std::span<const std::string> changed) const = 0;
  virtual SettingsVerdict verdict() const = 0;
  // Modules that shall run, and say hello to be asked about settings: how long each is waited for after a
  // start of the agent.
  virtual std::map<std::string, Milliseconds> having_a_say() const = 0;
  virtual void follow_log(const protocol::LogFollow& wish) = 0;  // answered by LinkCore::send_log
  virtual void stop_log(std::string_view reader) = 0;
  virtual void stop_logs() = 0;  // the link is lost
  // What its modules say on their socket. Errors: permission_denied (another process claims the name).
  virtual Result<void> check_peer(std::string_view module, std::int32_t pid) const = 0;
  virtual void said_hello(std::string_view module) = 0;
  // For people, after its name; empty: there is no such module.
  virtual std::string why_not_connected(std::string_view module) const = 0;
  virtual void said_state(std::string_view module, std::string_view state, std::string_view status) = 0;
  // `module` is empty before its hello.
  virtual void said_wrongly(std::string_view module, std::int32_t pid, std::string_view why) = 0;
};

class DeviceCore final : private SettingsListener,
                         private AssetListener,
                         private ModuleListener,
                         private LinkCore::Reporter,
                         private LinkCore::LogPort {
 public:
  // Reads the disk and puts the settings in force; nothing is sent yet. Errors: those of Disk and Identity.
  static Result<std::unique_ptr<DeviceCore>> load(Disk& disk, const Clock& clock,
                                                  const protocol::Catalog& catalog, IdentityMaker& maker,
                                                  LinkOutput& link_output, ModuleOutput& module_output,
                                                  DeviceOptions options, Log* log);

  void connect() { link_.start(); }
  void tick();
  std::optional<SteadyTime> next_deadline() const;

  LinkCore& link() { return link_; }
  SettingsCore& settings() { return settings_; }
  const SettingsCore& settings() const { return settings_; }
  ModuleCore& modules() { return modules_; }
  ModulesSection& section() { return section_; }
  AssetCore* assets() { return assets_ ? &*assets_ : nullptr; }
  UpdateCore* updates() { return updates_ ? &*updates_ : nullptr; }
  void supervise(ModuleSupervision& supervision) { supervision_ = &supervision; }
  const Identity& identity() const { return identity_; }

 private:
  DeviceCore(Identity identity, Disk& disk, const Clock& clock, const protocol::Catalog& catalog,
             LinkOutput& link_output, ModuleOutput& module_output, DeviceOptions options, Log* log);

  ActionRunners with_own_actions(ActionRunners runners);
  void add_left_out(JsonObject& report) const;

  // SettingsListener
  void status_changed(const protocol::ConfigStatus& status) override;
  void section_needed(protocol::Section section) override { link_.request_section(section); }
  void edits_pending() override { link_.propose_edits(); }
  void report_changed() override { link_.report_changed(); }
  ModuleNames witnesses(std::span<const std::string> changed) const override;
  SettingsVerdict verdict() const override;
  std::optional<SteadyTime> modules_come_by() const override;
  // AssetListener
  void assets_changed() override { settings_.assets_changed(); }
  void asset_damaged(std::string message) override { settings_.note_drift("corruption", std::move(message)); }
  // ModuleListener
  const Values& values_for_modules() const override { return settings_.values_for_modules(); }
  Result<std::string> setting_named(std::string_view name) const override;
  void module_set(JsonObject values, std::function<void(const Result<void>&)> done) override {
    settings_.update_bulk(std::move(values), std::move(done));
  }
  void modules_changed() override { link_.report_changed(); }
  void module_arrived(std::string_view name) override;
  void module_said_state(std::string_view name, std::string_view state, std::string_view status) override;
  Result<void> check_peer(std::string_view name, std::int32_t pid) const override;
  void module_refused(std::string_view name, std::int32_t pid, std::string_view why) override;
  std::string why_not_connected(std::string_view name) const override;
  void module_failing(std::string_view name) override;
  // LinkCore::Reporter
  JsonObject report() const override;
  // LinkCore::LogPort
  void follow_log(const protocol::LogFollow& wish) override;
  void stop_log(std::string_view reader) override;
  void stop_logs() override;

  const Clock& clock_;
  SteadyTime started_at_;
  Identity identity_;
  SeededRandom random_;
  EchoRunner echo_;
  ModuleCore modules_;
  IdentifyRunner identify_;
  ModuleActionRunner module_action_;
  SettingsCore settings_;
  RetrySettingsRunner retry_settings_;
  ModulesSection section_;
  std::optional<AssetCore> assets_;
  std::optional<UpdateCore> updates_;
  CheckUpdatesRunner check_updates_;
  ActionCore actions_;
  LinkCore link_;
  ModuleSupervision* supervision_ = nullptr;
  std::vector<std::string> left_out_;
};

}  // namespace starling::agent
