// Purpose: what a folder holds, as entries of a release. Nothing is followed, nothing but names and links is
// read. Owner: none. Thread: any; blocking. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "release/entry.hpp"

namespace starling::release {

struct FoundEntry {
  Entry entry;  // its path begins with the prefix
  std::filesystem::path source;
};

// All below `folder`, which itself is not among them, sorted by bytes; not what lies in a folder named in
// `left_out`: those paths are put there. Errors: invalid_argument (a device, a socket, a name that is not
// UTF-8, a setuid program, ...), too_large, not_found, permission_denied, io.
struct Walk {
  std::vector<FoundEntry> found;
  std::vector<std::string> left_out;
};
enum class LeaveOut { nothing, caches };
Result<Walk> walk_folder(const std::filesystem::path& folder, std::string_view prefix, LeaveOut leave_out);

}  // namespace starling::release
