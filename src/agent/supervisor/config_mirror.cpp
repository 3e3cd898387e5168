#include "agent/supervisor/config_mirror.hpp"

#include <fmt/format.h>

#include "agent/settings/sealed_json.hpp"
#include "agent/supervisor/folders/manifest.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_file_bytes = 64 * 1024;

std::unexpected<Error> not_mirrored(bool enabled, const Error& why) {
  const bool forbidden = why.code == ErrorCode::permission_denied;
  return fail(
      why.code,
      fmt::format("config.txt does not say 'enabled = {}', which is in force: {}{}", enabled, why.message,
                  forbidden ? "; make the file and its folder writable for the agent" : ""));
}

}  // namespace

ConfigMirror::ConfigMirror(ConfigFiles& files, Disk& disk, Logger log)
    : files_(files), disk_(disk), log_(log) {
  read();
}

void ConfigMirror::read() {
  const auto text = disk_.read_file(path, max_file_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return;
  const auto known = text ? unseal(*text) : Result<JsonObject>(fail(text));
  const auto modules = known ? JsonReader(*known).object("modules") : Result<const JsonObject*>(fail(known));
  if (!modules) {
    return log_.warning("edits of config.txt made while the agent was away go unnoticed",
                        {{"file", path}, {"why", modules.error().message}});
  }
  const auto take = [](const JsonObject& from, auto& into) {
    for (const auto& module : from)
      if (module.value().is_bool()) into[std::string(module.key())] = module.value().get_bool();
  };
  take(**modules, mirrored_);
  if (const auto shipped = JsonReader(*known).object("shipped")) take(**shipped, shipped_);
  if (const auto stamps = JsonReader(*known).object("stamps")) {
    for (const auto& [name, stamp] : **stamps)
      if (stamp.is_string()) stamps_.emplace(name, stamp.get_string());
  }
  const auto on_trial = JsonReader(*known).optional_array("on_trial");
  if (!on_trial || *on_trial == nullptr) return;
  for (const Json& name : **on_trial)
    if (name.is_string()) on_trial_.emplace(name.get_string());
}

Result<void> ConfigMirror::save() {
  const auto json = [](const auto& from) {
    JsonObject modules;
    for (const auto& [name, enabled] : from)
      modules[name] = enabled;
    return modules;
  };
  JsonObject file;
  file["modules"] = json(mirrored_);
  file["shipped"] = json(shipped_);
  JsonObject stamps;
  for (const auto& [name, stamp] : stamps_)
    stamps[name] = stamp;
  file["stamps"] = std::move(stamps);
  JsonArray on_trial;
  for (const std::string& name : on_trial_)
    on_trial.push_back(JsonString(name));
  if (!on_trial.empty()) file["on_trial"] = std::move(on_trial);
  auto saved = replace_file(disk_, path, seal(std::move(file)), 0600);
  if (saved) {
    unsaved_ = shipped_unsaved_ = false;
  } else {
    log_.error("what config.txt says cannot be noted down", {{"error", saved.error().message}});
  }
  return saved;
}

ConfigMirror::Beginning ConfigMirror::begin(std::string_view module, std::optional<bool> config,
                                            std::optional<bool> said, bool edits_lost, bool is_another) {
  const std::optional<bool> before = known(module);
  if (config && before && config != before && is_another) {
    ships(module, *config);
    return {said.value_or(*config), true, std::nullopt};
  }
  const bool says = config.value_or(before.value_or(false));
  const bool on_trial = on_trial_.contains(module);
  // An edit that was taken back, together with what it had said: all but noting it down was done.
  const bool taken_back = on_trial && !says && said != true;
  const bool by_itself = taken_back ? says : before.value_or(says);
  if (config) found(module, says);
  const bool lost = edits_lost && !said && says != shipped(module);
  // One that says what the module falls back to has been written by the agent, and not noted down.
  const bool edited = (lost || by_itself != says) && (said || says != shipped(module));
  return {said.value_or(lost ? by_itself : shipped(module)), before.value_or(true) && !on_trial,
          edited ? std::optional(says) : std::nullopt};
}

bool ConfigMirror::shipped(std::string_view module) const {
  const auto shipped = shipped_.find(module);
  return shipped != shipped_.end() ? shipped->second : known(module).value_or(false);
}

std::optional<bool> ConfigMirror::known(std::string_view module) const {
  const auto mirrored = mirrored_.find(module);
  return mirrored == mirrored_.end() ? std::nullopt : std::optional(mirrored->second);
}

void ConfigMirror::ship(std::string_view module, bool enabled) {
  shipped_unsaved_ |= shipped_.try_emplace(std::string(module), enabled).second;
}

void ConfigMirror::found(std::string_view module, bool enabled) {
  ship(module, enabled);
  if (enabled && known(module) == false) on_trial_.emplace(module);
  note(module, enabled);
}

void ConfigMirror::lost(std::string_view module) {
  const auto mirrored = mirrored_.find(module);
  if (mirrored == mirrored_.end()) return;
  ship(module, mirrored->second);
  mirrored_.erase(mirrored);
  unsaved_ = true;
}

void ConfigMirror::ships(std::string_view module, bool enabled) {
  shipped_.insert_or_assign(std::string(module), enabled);
  shipped_unsaved_ = true;
  on_trial_.erase(std::string(module));
  note(module, enabled);
}

bool ConfigMirror::is_another(std::string_view module, const std::string& stamp) const {
  const auto known = stamps_.find(module);
  return !stamp.empty() && known != stamps_.end() && known->second != stamp;
}

void ConfigMirror::note_stamp(std::string_view module, const std::string& stamp) {
  const auto known = stamps_.find(module);
  if (stamp.empty() || (known != stamps_.end() && known->second == stamp)) return;
  stamps_.insert_or_assign(std::string(module), stamp);
  unsaved_ = true;
}

void ConfigMirror::take_up(std::string_view module) {
  if (const auto one = left_alone_.find(module); one != left_alone_.end()) left_alone_.erase(one);
}

void ConfigMirror::note(std::string_view module, bool enabled) {
  if (known(module) == enabled) return;
  mirrored_[std::string(module)] = enabled;
  unsaved_ = true;
}

void ConfigMirror::forget(std::string_view module) {
  tell_problem(module, "");
  take_up(module);
  if (const auto stamp = stamps_.find(module); stamp != stamps_.end()) stamps_.erase(stamp);
  if (const auto shipped = shipped_.find(module); shipped != shipped_.end()) shipped_.erase(shipped);
  const auto mirrored = mirrored_.find(module);
  if (mirrored == mirrored_.end()) return;
  mirrored_.erase(mirrored);
  if (const auto trial = on_trial_.find(module); trial != on_trial_.end()) on_trial_.erase(trial);
  unsaved_ = true;
}

bool ConfigMirror::must_write(const ModuleStatus& module) {
  const std::optional<bool> last = known(module.name);
  if (!module.settled || last == module.enabled || !valid_module_name(module.name)) return false;
  if (left_alone_.contains(module.name) || !files_.holds_module(module.name)) return false;
  const auto now = files_.says(module.name);
  if (!now) return module.enabled != last.value_or(false);  // else somebody mends it, and means what it says
  return !*now || *now == last;                             // else it is an edit that is not noticed yet
}

Result<void> ConfigMirror::sync(std::span<const ModuleStatus> modules) {
  std::set<std::string_view> behind;
  for (const ModuleStatus& module : modules)
    if (must_write(module)) behind.insert(module.name);
  for (const std::string_view module : behind)
    ship(module, false);  // where it says nothing so far
  if (shipped_unsaved_) {
    if (auto saved = save(); !saved) return saved;
  }
  Result<void> outcome;
  for (const ModuleStatus& module : modules) {
    if (module.settled && on_trial_.erase(module.name) > 0) unsaved_ = true;
    if (!behind.contains(module.name)) {
      if (module.settled) tell_problem(module.name, "");
      continue;
    }
    auto written = files_.write_enabled(module.name, module.enabled);
    if (written) {
      note(module.name, module.enabled);
    } else {
      written = not_mirrored(module.enabled, written.error());
    }
    tell_problem(module.name, written ? std::string() : written.error().message);
    if (outcome) outcome = written;
  }
  if (!unsaved_) return outcome;
  const auto saved = save();
  return outcome ? saved : outcome;
}

void ConfigMirror::restore_shipped() {
  for (const auto& [module, enabled] : shipped_) {
    if (!files_.holds_module(module)) continue;
    const auto written = files_.write_enabled(module, enabled);
    if (written) continue;
    log_.error("config.txt does not say again what it shipped with",
               {{"module", module}, {"why", written.error().message}});
  }
}

void ConfigMirror::tell_problem(std::string_view module, const std::string& why) {
  if (problem(module) == why) return;
  problems_changed_ = true;
  if (why.empty()) {
    problems_.erase(problems_.find(module));
  } else {
    problems_[std::string(module)] = why;
    log_.error("config.txt cannot be brought in step", {{"module", module}, {"why", why}});
  }
}

std::string_view ConfigMirror::problem(std::string_view module) const {
  const auto found = problems_.find(module);
  return found == problems_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace starling::agent
