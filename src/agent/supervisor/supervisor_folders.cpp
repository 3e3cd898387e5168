// The Supervisor and the folders of modules: those that there are, that come, change and go.
#include "agent/supervisor/supervisor.hpp"

#include <unistd.h>

#include "agent/assets/asset_path.hpp"
#include "agent/supervisor/folders/unknown_use.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr Seconds ships_late{60};  // the config.txt of one that has come without

// Whoever knows where `folder` is gets there through `state`, which is closed otherwise, and through those
// between; what is not there yet will be made so. Errors: io.
Result<void> let_pass(const fs::path& state, const fs::path& folder) {
  const fs::path way = folder.lexically_relative(state.lexically_normal());
  if (way.empty() || *way.begin() == "..") return {};
  fs::path part = state;
  const auto open = [&part]() -> Result<void> {
    constexpr fs::perms all_may_pass = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
    std::error_code error;
    fs::permissions(part, all_may_pass, fs::perm_options::add, error);
    const bool absent = error == std::errc::no_such_file_or_directory;
    return error && !absent ? fail(ErrorCode::io, part.string() + ": " + error.message()) : Result<void>();
  };
  Result<void> opened = open();
  for (auto name = way.begin(); opened && name != way.end(); ++name) {
    part /= *name;
    opened = open();
  }
  return opened;
}

}  // namespace

Result<void> Supervisor::load(DeviceCore& device) {
  device_ = &device;
  if (auto made = make_folders(options_.state / "logs", 0700); !made) return made;
  core_ = std::make_unique<SupervisorCore>(
      ProcessPorts{clock_, keeper_, static_cast<TreePort&>(*this), environment_}, examiner_, recovery_,
      mirror_, static_cast<SupervisorListener&>(*this), SeededRandom(options_.seed), log_);
  // Before they are looked for: none comes between.
  if (auto watching = watch_.open(options_.modules); !watching) {
    log_.warning("changes of module folders are found at the next start only",
                 {{"error", watching.error().message}});
  }
  const auto found = find_all();
  device_->section().run_by(*this);
  if (found) {
    for (const FoundModule& module : *found)
      add(module);
  } else if (found.error().code == ErrorCode::not_found) {
    log_.warning("the folder of modules is not there: they are taken when it comes",
                 {{"folder", options_.modules.string()}});
  } else {
    return fail(found);
  }
  device_->supervise(*this);
  std::vector<std::string> components;
  for (const auto& [name, component] : device_->settings().catalog().components())
    components.push_back(name);
  device_->settings().subscriptions().subscribe(
      std::move(components), [this](const SettingsChange& change) { settings_changed(change); });
  return {};
}

bool Supervisor::is_shipped_enabled(std::string_view module) const {
  const auto folder = folders_.find(module);
  return folder != folders_.end() && folder->second.of_release ? folder->second.shipped
                                                               : mirror_.shipped(module);
}

bool Supervisor::of_release(std::string_view module) const {
  std::error_code unreadable;
  return !options_.release_modules.empty() &&
         std::filesystem::is_directory(options_.release_modules / module, unreadable);
}

// As its bin/activate would: `#!/usr/bin/env python3` is the release's own then, and programs of its packages
// are found.
void Supervisor::give_python(ModuleManifest& manifest) const {
  const std::filesystem::path& python = options_.release_python;
  if (python.empty()) return;
  const std::string path = (python / "bin").string() + ":" + environment_.at("PATH");
  // Before its own, which go before these.
  manifest.environment.insert(manifest.environment.begin(),
                              {{"PATH", path}, {"VIRTUAL_ENV", python.string()}});
}

// Those of the release come first: they are what was tried together.
Result<std::vector<FoundModule>> Supervisor::find_all() const {
  Result<std::vector<FoundModule>> all;
  if (!options_.release_modules.empty()) all = find_modules(options_.release_modules, system_account);
  if (!all) {
    log_.error("the modules of the release are left out", {{"why", all.error().message}});
    all = std::vector<FoundModule>();
  }
  for (FoundModule& module : *all)
    if (module.manifest) give_python(*module.manifest);
  auto found = find_modules(options_.modules, system_account);
  if (!found) return found.error().code == ErrorCode::not_found && !all->empty() ? all : found;
  for (FoundModule& module : *found) {
    if (of_release(module.name)) continue;
    const bool room = all->size() < max_modules;
    all->push_back(room ? std::move(module) : one_too_many(options_.modules, module.name));
  }
  return all;
}

void Supervisor::add(const FoundModule& found) {
  const std::optional<bool> config = found.enabled ? *found.enabled : std::nullopt;
  const ModulesSection& section = device_->section();
  const std::optional<bool> said = section.wanted(found.name);
  if (missing_.erase(found.name) > 0) device_->link().report_changed();
  Folder& folder = folders_[found.name];
  folder.of_release = of_release(found.name);
  folder.release = folder.of_release ? options_.release : "";
  folder.shipped = config.value_or(false);
  folder.known_before = folder.of_release || mirror_.known(found.name).has_value();
  // Nobody writes the config.txt of a release. What is known is of the module of this name that is back after
  // it.
  const auto begin = folder.of_release
                         ? ConfigMirror::Beginning{.enabled = said.value_or(folder.shipped), .hand_edit = {}}
                         : mirror_.begin(found.name, config, said, section.edits_lost(),
                                         mirror_.is_another(found.name, found.stamp));
  if (!folder.of_release) {
    mirror_.note_stamp(found.name, found.stamp);
    if (!config && found.enabled) mirror_.lost(found.name);
  }
  if (!config && !folder.known_before) folder.ships_until = clock_.steady() + ships_late;
  folder.manifest_text = found.manifest_text;
  folder.too_many = found.too_many;
  folder.unfinished = !found.manifest && !found.too_many && !folder.known_before;
  folder.unfinished ? mirror_.leave_alone(found.name) : mirror_.take_up(found.name);
  folder.config_problem = found.enabled ? "" : found.enabled.error().message;
  if (!found.enabled) {
    log_.warning("config.txt cannot be used", {{"module", found.name}, {"why", folder.config_problem}});
  }
  take_manifest(found);
  core_->add(found.name, found.manifest, begin.enabled, begin.proved);
  ModulePast past = history_.of(found.name);
  const bool taken_back = past.by_hub && !device_->settings().module_quarantine().contains(found.name);
  const bool quarantined = !begin.enabled && !section.is_turned_off(found.name) && !taken_back;
  core_->remember(found.name, quarantined ? std::move(past.quarantine) : "", std::move(past.last_death));
  if (begin.hand_edit) device_->section().edited_by_hand(found.name, *begin.hand_edit);
}

void Supervisor::take_manifest(const FoundModule& found) {
  Folder& folder = folders_[found.name];
  if (!found.manifest) {
    const Error& error = found.manifest.error();
    // A folder is made before what is in it.
    if (error.code == ErrorCode::not_found && !folder.manifest)
      return log_.info("a module has no module.toml yet", {{"module", found.name}});
    return log_.error("a module cannot be used", {{"module", found.name}, {"why", error.message}});
  }
  folder.manifest = *found.manifest;
  folder.unfinished = false;
  if (uid_of(found.name) != ::geteuid()) open_way(found);
  folder.note = unknown_use(*found.manifest, device_->settings().catalog());
  if (!folder.note.empty()) log_.warning(folder.note, {{"module", found.name}});
}

// To its folder, and to the files that its settings name.
void Supervisor::open_way(const FoundModule& found) const {
  std::vector<fs::path> ways;
  if (folders_.find(found.name)->second.of_release) ways.emplace_back(found.folder);
  const bool hears_of_them = !found.manifest->uses.empty() || !found.manifest->render.empty();
  if (hears_of_them) ways.push_back(options_.state / assets_folder);
  for (const fs::path& way : ways) {
    if (auto passes = let_pass(options_.state, way); !passes)
      log_.warning("a module does not get to its files",
                   {{"module", found.name}, {"why", passes.error().message}});
  }
}

// Those that require it themselves.
std::vector<std::string> Supervisor::dependents_of(std::string_view module) const {
  std::vector<std::string> dependents;
  for (const auto& [name, folder] : folders_) {
    if (!folder.manifest) continue;
    const auto& required = folder.manifest->requirements;
    if (std::ranges::find(required, module) != required.end()) dependents.push_back(name);
  }
  return dependents;
}

// What could not be enabled because it requires this one, perhaps by way of others, is tried again: the
// nearer first, so that the others do not wait for it in vain.
void Supervisor::wake_quarantined(std::string_view came) {
  std::vector<std::string> there{std::string(came)};
  for (std::size_t i = 0; i < there.size(); ++i) {
    for (const std::string& name : dependents_of(there[i])) {
      if (std::ranges::find(there, name) != there.end()) continue;
      device_->section().try_again(name);
      there.push_back(name);
    }
  }
}

FoundModule Supervisor::look_at(std::string_view module) const {
  const auto counts = [](const auto& folder) { return !folder.second.too_many; };
  const auto known = folders_.find(module);
  const bool counted = known != folders_.end() && counts(*known);
  const bool room = counted || std::ranges::count_if(folders_, counts) < std::ptrdiff_t{max_modules};
  return room ? find_module(options_.modules, module, system_account)
              : one_too_many(options_.modules, module);
}

void Supervisor::folder_gone(const std::string& module) {
  log_.warning("the folder of a module is gone", {{"module", module}});
  if (core_->is_enabled(module)) missing_.insert(module);
  readers_.module_gone(module);
  trial_.forget(module);
  mirror_.forget(module);
  history_.forget(module);
  device_->section().module_gone(module);
  folders_.erase(module);
  core_->remove(module);
  const auto waiting =
      std::ranges::find_if(folders_, [](const auto& folder) { return folder.second.too_many; });
  if (waiting != folders_.end()) folder_changed(std::string(waiting->first));
  device_->link().modules_came_or_went();
  wakeup_.deadlines_changed();
}

// Nothing is made of it before that is over: files come one after the other, and belong together.
void Supervisor::folder_changed(std::string_view module) {
  if (of_release(module)) return;
  const std::string name = look_at(module).name;
  const auto known = folders_.find(name);
  if (!may_be_module(options_.modules / module)) {
    arriving_.went(module);
    if (known != folders_.end()) folder_gone(name);
    return;
  }
  const bool more = known == folders_.end() && !arriving_.contains(module);
  if (more && folders_.size() + arriving_.count() >= max_module_folders) {
    return log_.error("a folder is left out: there are too many beside it", {{"module", name}});
  }
  mirror_.leave_alone(name);
  known == folders_.end() || known->second.unfinished ? arriving_.came(module) : arriving_.changed(module);
  wakeup_.deadlines_changed();
}

bool Supervisor::is_complete(const std::string& module) const {
  const FoundModule found = look_at(module);
  std::error_code unreadable;
  return found.manifest && fs::exists(found.manifest->exec, unreadable);
}

void Supervisor::look_for(std::string_view module) {
  const bool is_news = arriving_.contains(module) || !folders_.contains(module);
  if (is_news && valid_module_name(module) && !of_release(module) && may_be_module(options_.modules / module))
    look_into(std::string(module));
}

void Supervisor::look_into(const std::string& module) {
  arriving_.went(module);
  const FoundModule found = look_at(module);
  const auto known = folders_.find(found.name);
  const auto status = core_->status(found.name);
  const bool runs = status && status->pid != 0;
  if (known == folders_.end() || (known->second.unfinished && !runs)) {
    take_in(found);
  } else {
    files_changed(found);
  }
  wakeup_.deadlines_changed();
}

// One that was there unfinished begins anew: what its config.txt says is no edit either.
void Supervisor::take_in(const FoundModule& found) {
  if (const auto known = folders_.find(found.name); known != folders_.end()) {
    mirror_.forget(found.name);
    known->second = Folder{};
    core_->remove(found.name);
  }
  log_.info("a module has come", {{"module", found.name}});
  add(found);
  device_->section().try_again(found.name);
  wake_quarantined(found.name);
  device_->link().modules_came_or_went();
}

// What comes together with another module.toml is no edit by hand, but how the module ships.
void Supervisor::files_changed(const FoundModule& found) {
  Folder& folder = folders_[found.name];
  const bool ships = mirror_.is_another(found.name, found.stamp) || clock_.steady() < folder.ships_until;
  mirror_.note_stamp(found.name, found.stamp);
  const bool admitted = folder.too_many && !found.too_many;
  const bool says_else = admitted || found.manifest_text != folder.manifest_text;
  if (says_else) {
    log_.info("the manifest of a module has changed", {{"module", found.name}});
    folder.manifest_text = found.manifest_text;
    folder.too_many = found.too_many;
    take_manifest(found);
    // Its files are made by its next start.
    const auto status = core_->status(found.name);
    if (found.manifest && status && status->pid == 0) note_problem(folder.render_problem, "");
    core_->replace_manifest(found.name, found.manifest);
  }
  config_changed(found, ships);
  mirror_.take_up(found.name);
  core_->files_changed();
  if (!says_else) return;
  device_->section().try_again(found.name);
  wake_quarantined(found.name);
}

void Supervisor::config_changed(const FoundModule& found, bool ships) {
  Folder& folder = folders_[found.name];
  note_problem(folder.config_problem, found.enabled ? "" : found.enabled.error().message);
  if (!found.enabled) {
    return log_.warning("config.txt cannot be used",
                        {{"module", found.name}, {"why", folder.config_problem}});
  }
  const std::optional<bool> config = *found.enabled;
  if (!config) return mirror_.lost(found.name);
  if (mirror_.known(found.name) == *config) return;
  if (ships) {
    log_.info("a module ships anew", {{"module", found.name}, {"enabled", *config}});
    mirror_.ships(found.name, *config);
    return device_->section().ships_anew(found.name);
  }
  mirror_.found(found.name, *config);
  device_->section().edited_by_hand(found.name, *config);
}

}  // namespace starling::agent
