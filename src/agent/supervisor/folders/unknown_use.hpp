// Purpose: finds slips in a manifest's `uses`. Pure. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "agent/supervisor/folders/manifest.hpp"
#include "protocol/component.hpp"

namespace starling::agent {

// The first setting that the manifest uses and no component of this device has, for people; else empty.
std::string unknown_use(const ModuleManifest& manifest, const protocol::Catalog& catalog);

}  // namespace starling::agent
