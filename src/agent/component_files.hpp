// Purpose: reads the component files that this device declares.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "protocol/component.hpp"

namespace starling::agent {

// Every *.json of the folder. Errors: not_found (no such folder, or nothing in it), invalid_argument naming
// the file and the place in it.
Result<protocol::Catalog> read_components(const std::filesystem::path& folder);

// Where the components are if nobody says: STARLING_COMPONENTS, else as installed beside this binary
// (../share/starling/components), else in the source tree that it was built in. Errors: not_found.
Result<std::filesystem::path> find_components();

}  // namespace starling::agent
