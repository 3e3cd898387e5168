// Purpose: files copied into a backup, or out of one, so that they survive a pulled plug.
// Owner: none. Thread: any; blocking. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace starling::hub {

// What is in a folder, by name; nothing if there is none. Errors: those of list_folder().
Result<std::vector<std::filesystem::path>> entries_of(const std::filesystem::path& folder);

// Errors of both: not_found, io.
Result<void> copy_durably(const std::filesystem::path& from, const std::filesystem::path& to);
Result<void> rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Whether the file has this SHA-256. Errors: corrupted (it has another), those of reading.
Result<void> check_content(const std::filesystem::path& file, std::string_view sha256);

}  // namespace starling::hub
