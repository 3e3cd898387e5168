#include "agent/supervisor/config_mirror.hpp"

#include "agent/settings/sealed_json.hpp"
#include "agent/supervisor/manifest.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_file_bytes = 64 * 1024;

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
  auto saved = replace_file(disk_, path, seal(std::move(file)), 0600);
  if (saved) unsaved_ = shipped_unsaved_ = false;
  return saved;
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
  if (known(module) == enabled) return;
  mirrored_[std::string(module)] = enabled;
  unsaved_ = true;
}

void ConfigMirror::forget(std::string_view module) {
  if (const auto shipped = shipped_.find(module); shipped != shipped_.end()) shipped_.erase(shipped);
  const auto mirrored = mirrored_.find(module);
  if (mirrored == mirrored_.end()) return;
  mirrored_.erase(mirrored);
  unsaved_ = true;
}

Result<void> ConfigMirror::sync(std::span<const ModuleStatus> modules) {
  const auto behind = [this](const ModuleStatus& module) {
    return module.settled && known(module.name) != module.enabled && valid_module_name(module.name);
  };
  for (const ModuleStatus& module : modules)
    if (behind(module)) ship(module.name, false);  // where it says nothing so far
  if (shipped_unsaved_) {
    if (auto saved = save(); !saved) return saved;
  }
  Result<void> outcome;
  for (const ModuleStatus& module : modules) {
    if (!behind(module)) continue;
    const auto written = files_.write_enabled(module.name, module.enabled);
    if (written) {
      found(module.name, module.enabled);
      problems_.erase(module.name);
      continue;
    }
    const std::string& why = written.error().message;
    if (problem(module.name) != why) {
      log_.error("config.txt cannot be brought in step", {{"module", module.name}, {"why", why}});
    }
    problems_[module.name] = why;
    if (outcome) outcome = written;
  }
  if (!unsaved_) return outcome;
  const auto saved = save();
  return outcome ? saved : outcome;
}

Result<void> ConfigMirror::restore_shipped() {
  for (const auto& [module, enabled] : shipped_) {
    const auto written = files_.write_enabled(module, enabled);
    if (!written && written.error().code != ErrorCode::not_found) return written;  // its folder is gone
  }
  return {};
}

std::string_view ConfigMirror::problem(std::string_view module) const {
  const auto found = problems_.find(module);
  return found == problems_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace starling::agent
