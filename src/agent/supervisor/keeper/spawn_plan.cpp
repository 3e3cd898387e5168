#include "agent/supervisor/keeper/spawn_plan.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "agent/supervisor/folders/manifest_mark.hpp"

namespace starling::agent {

namespace {

const std::string& working_folder_of(const ModuleManifest& manifest) {
  return manifest.working_folder.empty() ? manifest.folder : manifest.working_folder;
}

}  // namespace

SpawnRequest spawn_request(const ModuleManifest& manifest, ChildId id, TreePlace place,
                           Environment environment) {
  SpawnRequest request;
  request.id = std::move(id);
  request.exec = manifest.exec;
  request.args = manifest.args;
  if (manifest.account) {
    environment["HOME"] = manifest.account->home;
    environment["USER"] = environment["LOGNAME"] = manifest.account->name;
  }
  for (const auto& [name, value] : manifest.environment)
    environment[name] = value;
  if (manifest.watchdog > Milliseconds(0)) {
    environment["WATCHDOG_USEC"] = std::to_string(std::chrono::microseconds(manifest.watchdog).count());
  }
  for (const auto& [name, value] : place.environment)
    environment[name] = value;
  request.environment.assign(environment.begin(), environment.end());
  request.working_folder = working_folder_of(manifest);
  if (manifest.account) {
    request.credentials =
        SpawnRequest::Credentials{manifest.account->uid, manifest.account->gid, manifest.account->groups};
  }
  request.nice = manifest.limits.nice;
  request.limit_files = manifest.limits.files;
  request.limit_core_bytes = manifest.limits.core_bytes;
  request.cgroup = std::move(place.cgroup);
  request.notify = true;  // any module may tell its status
  request.mark = mark_of(manifest);
  return request;
}

std::optional<RunName> parse_child_id(std::string_view id) {
  const auto colon = id.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  RunName name{id.substr(0, colon), 0};
  const std::string_view digits = id.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), name.run);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (!valid_module_name(name.module)) return std::nullopt;
  return name;
}

std::string describe(const SpawnFailure& failure, const ModuleManifest& manifest) {
  const std::string why = std::strerror(failure.error);
  switch (failure.step) {
    case SpawnStep::exec: return manifest.exec + " cannot be started: " + why;
    case SpawnStep::working_folder:
      return "its working folder " + working_folder_of(manifest) + " cannot be entered: " + why;
    case SpawnStep::credentials:
      return "it cannot become user '" + (manifest.account ? manifest.account->name : "") + "': " + why;
    case SpawnStep::cgroup: return "its control group cannot be entered: " + why;
    case SpawnStep::limits: return "its limits cannot be set: " + why;
    case SpawnStep::descriptors: return "the keeper has no descriptors left for it: " + why;
    case SpawnStep::fork: return "no process can be made for it: " + why;
    case SpawnStep::request: return "the keeper refuses to start it: " + why;
  }
  return why;
}

FailureKind kind_of(const SpawnFailure& failure) {
  switch (failure.step) {
    case SpawnStep::request:
    case SpawnStep::credentials:
    case SpawnStep::limits: return FailureKind::hopeless;
    case SpawnStep::descriptors:
    case SpawnStep::cgroup:
    case SpawnStep::fork: return FailureKind::ordinary;
    case SpawnStep::exec:
    case SpawnStep::working_folder: break;
  }
  for (const int hopeless : {ENOENT, EACCES, ENOEXEC, ENOTDIR, EISDIR, ELOOP, EPERM}) {
    if (failure.error == hopeless) return FailureKind::hopeless;
  }
  return FailureKind::ordinary;
}

}  // namespace starling::agent
