// Purpose: what people read of a module's run that failed, with what would have to be otherwise.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "agent/supervisor/folders/manifest.hpp"
#include "agent/supervisor/keeper/keeper_port.hpp"

namespace starling::agent {

std::string seconds_text(Milliseconds time);

std::string not_ready_text(const ModuleManifest& manifest);

// Of an end that is a failure, and may have been meant as the end of its work: "; if ..." goes after why.
// Empty: it does not look so.
std::string advice_on_end(const ModuleManifest& manifest, const ChildExit& exit, bool was_ready);

}  // namespace starling::agent
