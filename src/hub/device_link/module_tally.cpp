#include "hub/device_link/module_tally.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "hub/device_link/device_problems.hpp"
#include "hub/device_link/device_records.hpp"
#include "hub/device_link/told_json.hpp"
#include "protocol/modules_document.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_folder_name_bytes = 128;  // also of a folder that no module can be called

constexpr std::array<std::string_view, 7> states{"disabled", "starting", "idle",   "recording",
                                                 "stopping", "error",    "crashed"};

// As the agent names them (its OpenAlerts and BoardHealth).
constexpr std::array<std::string_view, 5> module_alert_kinds{"crash_loop", "memory_hold", "needs_help",
                                                             "died_together", "component_file"};
constexpr std::array<std::string_view, 5> board_alert_kinds{"hot", "throttled", "under-voltage", "memory-low",
                                                            "disk-low"};

// What a newer agent may say has one name for all: metrics do not grow by what devices send.
template <std::size_t Count>
std::string known_kind(const std::array<std::string_view, Count>& known, std::string_view told) {
  return std::string(std::ranges::find(known, told) == known.end() ? "other" : told);
}

double number_in(const JsonObject& object, std::string_view name) {
  const Json* value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  return std::clamp(value->to_number<double>(), -1e12, 1e12);
}

std::optional<std::int64_t> percent_in(const JsonObject& object, std::string_view part,
                                       std::string_view whole) {
  const double all = number_in(object, whole);
  if (all <= 0) return {};
  return std::llround(std::clamp(number_in(object, part) / all, 0.0, 1.0) * 100);
}

ModulesReport::Module module_of_report(std::string_view name, const JsonObject& report) {
  ModulesReport::Module module;
  module.name = name;
  const Json* state = report.if_contains("state");
  module.state = "unknown";
  if (state != nullptr && state->is_string()) {
    const auto known = std::ranges::find(states, std::string_view(state->get_string()));
    if (known != states.end()) module.state = *known;
  }
  const Json* enabled = report.if_contains("enabled");
  module.enabled = enabled != nullptr && enabled->is_bool() && enabled->get_bool();
  module.failing = !failure_of(report).empty();
  module.use.restarts = std::llround(number_in(report, "restarts"));
  if (const JsonObject* use = object_in(report, "use")) {
    module.use.cpu_centipercent = std::llround(number_in(*use, "cpu_percent") * 100);
    module.use.memory_kb = std::llround(number_in(*use, "memory_kb"));
    module.use.descriptors = std::llround(number_in(*use, "descriptors"));
  }
  return module;
}

// Its device could not enable it, whatever it says of it now.
bool is_refused(const DeviceFacts& facts, std::string_view module) {
  if (facts.module_errors.empty()) return false;
  const std::string key = protocol::enabled_key(module);
  return std::ranges::find(facts.module_errors, key, &protocol::KeyError::key) != facts.module_errors.end();
}

}  // namespace

void ModuleUse::add(const ModuleUse& other, int sign) {
  cpu_centipercent += sign * other.cpu_centipercent;
  memory_kb += sign * other.memory_kb;
  descriptors += sign * other.descriptors;
  restarts += sign * other.restarts;
}

ModulesReport ModulesReport::of(const DeviceFacts& facts) {
  ModulesReport report;
  report.crashes = facts.crashes;
  if (const JsonObject* modules = object_in(facts.reported, "modules")) {
    for (const auto& [name, told] : *modules) {
      const bool readable = told.is_object() && name.size() <= max_folder_name_bytes;
      if (!readable || report.modules.size() >= protocol::max_modules) continue;
      Module& module = report.modules.emplace_back(module_of_report(name, told.get_object()));
      module.failing |= is_refused(facts, name);
    }
  }
  for (const Json& alert : array_in(facts.reported, "alerts")) {
    if (const JsonObject* told = alert.if_object(); told != nullptr)
      report.module_alerts.push_back(known_kind(module_alert_kinds, text_in(*told, "kind")));
  }
  if (const JsonObject* board = object_in(facts.reported, "board")) {
    for (const Json& alert : array_in(*board, "alerts"))
      report.board_alerts.push_back(
          known_kind(board_alert_kinds, alert.is_string() ? std::string_view(alert.get_string()) : ""));
    if (board->contains("temperature_c"))
      report.temperature_c = std::llround(std::clamp(number_in(*board, "temperature_c"), -100.0, 300.0));
    report.memory_available_percent = percent_in(*board, "memory_available_kb", "memory_total_kb");
    report.disk_free_percent = percent_in(*board, "disk_free_kb", "disk_total_kb");
  }
  return report;
}

void Extremes::count(std::optional<std::int64_t> number, int sign) {
  if (!number) return;
  std::int64_t& devices = devices_[*number];
  devices += sign;
  if (devices == 0) devices_.erase(*number);
}

std::optional<std::int64_t> Extremes::least() const {
  return devices_.empty() ? std::nullopt : std::optional(devices_.begin()->first);
}

std::optional<std::int64_t> Extremes::largest() const {
  return devices_.empty() ? std::nullopt : std::optional(devices_.rbegin()->first);
}

void ModuleTally::add(const ModulesReport::Module& module, int sign) {
  Module& all = modules_[module.name];
  all.devices += sign;
  all.enabled += module.enabled ? sign : 0;
  all.failing += module.failing ? sign : 0;
  all.use.add(module.use, sign);
  std::int64_t& in_state = all.by_state[module.state];
  in_state += sign;
  if (in_state == 0) all.by_state.erase(module.state);
  if (all.devices == 0) modules_.erase(module.name);
}

void ModuleTally::add(const Crash& crash) {
  CrashKind& kind = crashes_[{crash.module, crash.fingerprint}];
  const std::int64_t deaths = kind.all.deaths + crash.deaths;
  const std::int64_t first_ms =
      kind.devices == 0 ? crash.first_ms : std::min(kind.all.first_ms, crash.first_ms);
  if (first_ms == crash.first_ms) kind.first_release = crash.releases.empty() ? "" : crash.releases.front();
  if (crash.last_ms >= kind.all.last_ms) kind.all = crash;
  kind.all.first_ms = first_ms;
  kind.all.deaths = deaths;
  ++kind.devices;
  for (const std::string& release : crash.releases)
    ++kind.releases[release];
}

void ModuleTally::remove(const Crash& crash) {
  const auto found = crashes_.find({crash.module, crash.fingerprint});
  if (found == crashes_.end()) return;
  CrashKind& kind = found->second;
  kind.all.deaths -= crash.deaths;
  for (const std::string& release : crash.releases) {
    if (--kind.releases[release] == 0) kind.releases.erase(release);
  }
  if (--kind.devices == 0) crashes_.erase(found);
}

void ModuleTally::add(const ModulesReport& report) {
  for (const ModulesReport::Module& module : report.modules)
    add(module, 1);
  for (const Crash& crash : report.crashes)
    add(crash);
  count_board(report, 1);
}

void ModuleTally::remove(const ModulesReport& report) {
  for (const ModulesReport::Module& module : report.modules)
    add(module, -1);
  for (const Crash& crash : report.crashes)
    remove(crash);
  count_board(report, -1);
}

void ModuleTally::count_board(const ModulesReport& report, int sign) {
  const auto count = [sign](Kinds& open, const std::vector<std::string>& kinds) {
    for (const std::string& kind : kinds)
      open[kind] += sign;
    std::erase_if(open, [](const auto& alerts) { return alerts.second == 0; });
  };
  count(module_alerts_, report.module_alerts);
  count(board_alerts_, report.board_alerts);
  temperatures_.count(report.temperature_c, sign);
  memory_available_.count(report.memory_available_percent, sign);
  disk_free_.count(report.disk_free_percent, sign);
}

// First the new one: what both name keeps its history.
void ModuleTally::replace(const ModulesReport& before, const ModulesReport& now) {
  add(now);
  remove(before);
}

void ModuleTally::count_new_deaths(const ModulesReport& before, const ModulesReport& now) {
  for (const Crash& crash : now.crashes) {
    const auto known = std::ranges::find_if(before.crashes, [&](const Crash& each) {
      return each.module == crash.module && each.fingerprint == crash.fingerprint;
    });
    const std::int64_t fresh = crash.deaths - (known == before.crashes.end() ? 0 : known->deaths);
    if (fresh > 0) deaths_[{crash.module, crash.death_class}] += static_cast<std::uint64_t>(fresh);
  }
}

}  // namespace starling::hub
