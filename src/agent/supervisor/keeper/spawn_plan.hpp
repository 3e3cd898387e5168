// Purpose: what the keeper is asked for to start a module. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/supervisor/keeper/keeper_port.hpp"
#include "agent/supervisor/processes/tree_port.hpp"
#include "agent/supervisor/restart_policy.hpp"

namespace starling::agent {

// Variables that every module gets, of the agent's: PATH, TZ, STARLING_MODULE_SOCKET, ...
using Environment = std::map<std::string, std::string>;

// The manifest's variables win over its account's, these over the agent's; those by which the tree is found,
// over both.
SpawnRequest spawn_request(const ModuleManifest& manifest, ChildId id, TreePlace place,
                           Environment environment);

// The module and the run of "recorder:17".
struct RunName {
  std::string_view module;
  std::uint64_t run = 0;
};
std::optional<RunName> parse_child_id(std::string_view id);

// "/opt/recorder/run cannot be started: no such file or directory".
std::string describe(const SpawnFailure& failure, const ModuleManifest& manifest);
FailureKind kind_of(const SpawnFailure& failure);

}  // namespace starling::agent
