#include "agent/factory_reset.hpp"

#include <algorithm>
#include <array>

#include "agent/identity.hpp"
#include "agent/supervisor/config_txt_files.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

bool stays(std::string_view name) {
  constexpr std::array names{Identity::path,
                             ActionCore::path,
                             factory_reset_mark,  // until all else has gone
                             std::string_view("components"),
                             std::string_view("agent.lock"),
                             std::string_view("notify")};
  return std::ranges::find(names, name) != names.end() || name.starts_with("keeper.");
}

Result<void> erase_data(const ModuleManifest& manifest) {
  for (const std::string& name : manifest.data) {
    const std::filesystem::path path = std::filesystem::path(manifest.folder) / name;
    std::error_code error, unreadable;
    std::filesystem::remove_all(path, error);
    const bool mount_point = error && std::filesystem::is_empty(path, unreadable) && !unreadable;
    if (error && !mount_point) return fail(ErrorCode::io, path.string() + ": " + error.message());
  }
  return manifest.data.empty() ? Result<void>() : fsync_folder(manifest.folder);
}

Result<void> reset_modules(Disk& disk, const std::filesystem::path& folder, Logger log) {
  ConfigTxtFiles config_files(folder);
  ConfigMirror(config_files, disk, log).restore_shipped();
  const auto modules = find_modules(folder, system_account);
  if (!modules) return fail(modules);
  for (const FoundModule& module : *modules) {
    if (!module.manifest) {
      log.error("what a module keeps is not erased: its module.toml cannot be used",
                {{"module", module.name}, {"why", module.manifest.error().message}});
    } else if (auto erased = erase_data(*module.manifest); !erased) {
      log.error("what a module keeps is not erased",
                {{"module", module.name}, {"why", erased.error().message}});
    }
  }
  return {};
}

Result<void> forget_state(Disk& disk, std::string_view action_id, Logger log) {
  const auto names = disk.list("");
  if (!names) return fail(names);
  for (const std::string& name : *names) {
    if (stays(name)) continue;
    if (auto removed = disk.remove_tree(name); !removed) return removed;
  }
  ActionCore actions(disk, {}, log);
  if (auto started = actions.start(); !started) return started;
  if (auto forgotten = actions.forget_results(action_id); !forgotten) return forgotten;
  return disk.sync_folder("");
}

}  // namespace

Result<void> finish_factory_reset(Disk& disk, const std::filesystem::path& modules, Logger log) {
  const auto action_id = disk.read_file(factory_reset_mark, 1024);
  if (!action_id && action_id.error().code == ErrorCode::not_found) return {};
  if (!action_id) return fail(action_id);
  if (!modules.empty()) {
    if (auto reset = reset_modules(disk, modules, log); !reset) return fail(reset, "resetting the modules");
  }
  if (auto forgotten = forget_state(disk, *action_id, log); !forgotten) return forgotten;
  if (auto removed = disk.remove_tree(factory_reset_mark); !removed) return removed;
  log.warning("this device was reset: it has forgotten everything but who it is");
  return disk.sync_folder("");
}

void FactoryResetRunner::run(const protocol::Action& action, Done done) {
  if (auto marked = replace_file(disk_, factory_reset_mark, action.id, 0600); !marked)
    return done(fail(marked));
  done(JsonObject{});
  restart_();
}

}  // namespace starling::agent
