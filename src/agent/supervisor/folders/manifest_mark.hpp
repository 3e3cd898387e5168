// Purpose: tells one manifest from another, across agents: equal for equal manifests, whatever their text.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "agent/supervisor/folders/manifest.hpp"

namespace starling::agent {

// The beginning of a digest: no longer than what a string of the keeper, which holds it, has room for.
std::string mark_of(const ModuleManifest& manifest);

}  // namespace starling::agent
