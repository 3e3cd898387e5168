#include "agent/device_core.hpp"

#include <ranges>

namespace starling::agent {
namespace {

Logger logger(Log* log, std::string_view component) {
  return log == nullptr ? Logger() : Logger(*log, component);
}

}  // namespace

Result<std::unique_ptr<DeviceCore>> DeviceCore::load(Disk& disk, const Clock& clock,
                                                     const protocol::Catalog& catalog, IdentityMaker& maker,
                                                     LinkOutput& link_output, ModuleOutput& module_output,
                                                     DeviceOptions options, Log* log) {
  auto identity = Identity::load(disk, maker, options.board_serial, logger(log, "identity"));
  if (!identity) return fail(identity);
  std::unique_ptr<DeviceCore> core(new DeviceCore(std::move(*identity), disk, clock, catalog, link_output,
                                                  module_output, std::move(options), log));
  if (auto started = core->settings_.start(); !started) return fail(started, "loading the settings");
  if (auto started = core->section_.start(); !started) return fail(started, "loading the modules section");
  if (auto started = core->actions_.start(); !started) return fail(started, "loading the journal of actions");
  if (core->updates_) {
    if (auto started = core->updates_->start(); !started)
      return fail(started, "loading the software section");
  }
  return core;
}

DeviceCore::DeviceCore(Identity identity, Disk& disk, const Clock& clock, const protocol::Catalog& catalog,
                       LinkOutput& link_output, ModuleOutput& module_output, DeviceOptions options, Log* log)
    : clock_(clock),
      started_at_(clock.steady()),
      identity_(std::move(identity)),
      random_(options.seed),
      modules_(clock, module_output, *this, logger(log, "modules")),
      identify_(identity_.device_id(), modules_, logger(log, "action")),
      module_action_(modules_),
      settings_(disk, clock, catalog, modules_, *this, SeededRandom(random_()), options.settings,
                logger(log, "settings")),
      retry_settings_(settings_),
      section_(disk, clock, settings_, *this, SeededRandom(random_()), logger(log, "modules")),
      actions_(disk, with_own_actions(std::move(options.actions)), logger(log, "action")),
      link_(disk, clock, identity_, settings_, section_, actions_, link_output, SeededRandom(random_()),
            std::move(options.link), logger(log, "link")),
      left_out_(std::move(options.left_out)) {
  link_.set_reporter(*this);
  link_.set_logs(*this);
  if (options.assets != nullptr) {
    assets_.emplace(disk, clock, *options.assets, static_cast<AssetListener&>(*this), SeededRandom(random_()),
                    logger(log, "assets"));
    settings_.use_assets(*assets_);
  }
  if (options.updates == nullptr) return;
  UpdateOptions updating;
  updating.provisional = options.release_trial;
  updates_.emplace(disk, clock, settings_, static_cast<SettingsListener&>(*this), *options.updates,
                   *options.timing, SeededRandom(random_()), updating, logger(log, "software"));
  link_.set_updates(*updates_);
  check_updates_.attach(*updates_);
}

ActionRunners DeviceCore::with_own_actions(ActionRunners runners) {
  runners["echo"] = &echo_;
  runners["identify"] = &identify_;
  runners["module_action"] = &module_action_;
  runners["retry_settings"] = &retry_settings_;
  runners["check_updates"] = &check_updates_;
  return runners;
}

void DeviceCore::tick() {
  modules_.tick();
  settings_.tick();
  if (assets_) assets_->tick();
  section_.tick();
  if (updates_) updates_->tick();
  link_.tick();
}

std::optional<SteadyTime> DeviceCore::next_deadline() const {
  std::optional<SteadyTime> next = link_.next_deadline();
  const auto updates = updates_ ? updates_->next_deadline() : std::nullopt;
  const auto assets = assets_ ? assets_->next_deadline() : std::nullopt;
  for (const auto& other :
       {settings_.next_deadline(), section_.next_deadline(), modules_.next_deadline(), assets, updates}) {
    if (other && (!next || *other < *next)) next = other;
  }
  return next;
}

ModuleNames DeviceCore::witnesses(std::span<const std::string> changed) const {
  return supervision_ != nullptr ? supervision_->witnesses(changed) : ModuleNames{};
}

std::optional<SteadyTime> DeviceCore::modules_come_by() const {
  if (supervision_ == nullptr) return std::nullopt;
  const SteadyTime now = clock_.steady();
  SteadyTime by = now;
  for (const auto& [name, time] : supervision_->having_a_say())
    if (!modules_.is_connected(name)) by = std::max(by, started_at_ + time);
  return by == now ? std::nullopt : std::optional(by);
}

void DeviceCore::status_changed(const protocol::ConfigStatus& status) {
  link_.send_status(status);
  retry_settings_.heard(status);
}

SettingsVerdict DeviceCore::verdict() const {
  return supervision_ != nullptr ? supervision_->verdict() : SettingsVerdict{};
}

void DeviceCore::module_failing(std::string_view name) {
  if (supervision_ != nullptr && supervision_->has(name)) return;  // it tells a stop from a death
  settings_.unhealthy("module '" + std::string(name) + "' keeps ending since they are in force");
}

void DeviceCore::module_arrived(std::string_view name) {
  settings_.modules_changed();
  if (supervision_ != nullptr) supervision_->said_hello(name);
}

void DeviceCore::module_said_state(std::string_view name, std::string_view state, std::string_view status) {
  if (supervision_ != nullptr) supervision_->said_state(name, state, status);
}

Result<void> DeviceCore::check_peer(std::string_view name, std::int32_t pid) const {
  if (supervision_ == nullptr) return {};
  return supervision_->check_peer(name, pid);
}

void DeviceCore::module_refused(std::string_view name, std::int32_t pid, std::string_view why) {
  if (supervision_ != nullptr) supervision_->said_wrongly(name, pid, why);
}

std::string DeviceCore::why_not_connected(std::string_view name) const {
  return supervision_ != nullptr ? supervision_->why_not_connected(name) : std::string();
}

Result<std::string> DeviceCore::setting_named(std::string_view name) const {
  const auto schema = settings_.catalog().require(name);
  if (!schema) return fail(schema);
  return (*schema)->key;
}

void DeviceCore::follow_log(const protocol::LogFollow& wish) {
  if (supervision_ != nullptr) return supervision_->follow_log(wish);
  protocol::LogLines refusal;
  refusal.id = wish.id;
  refusal.ended = true;
  refusal.message = "this device runs no modules: its agent was started without --modules";
  link_.send_log(refusal);
}

void DeviceCore::stop_log(std::string_view reader) {
  if (supervision_ != nullptr) supervision_->stop_log(reader);
}

void DeviceCore::stop_logs() {
  if (supervision_ != nullptr) supervision_->stop_logs();
}

JsonObject DeviceCore::report() const {
  JsonObject report = settings_.report();
  report["modules"] = modules_.report();
  const auto uptime = std::chrono::duration_cast<Seconds>(clock_.steady() - started_at_);
  report["uptime_s"] = uptime.count();
  report["starts"] = identity_.start_count();
  if (updates_) report["software"] = updates_->report();
  if (supervision_ != nullptr) supervision_->add_to(report);
  add_left_out(report);
  return report;
}

void DeviceCore::add_left_out(JsonObject& report) const {
  if (left_out_.empty()) return;
  Json& alerts = report["alerts"];
  if (!alerts.is_array()) alerts.emplace_array();
  constexpr std::size_t most = 8;
  for (const std::string& why : left_out_ | std::views::take(most)) {
    alerts.get_array().push_back(
        JsonObject{{"kind", "component_file"}, {"text", "a component file is left out: " + why}});
  }
}

}  // namespace starling::agent
