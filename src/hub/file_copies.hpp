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

// Gives a file or folder the name of what a restore has replaced, PATH.replaced-N, so that nothing is lost;
// gives that name, none if there is no such file. Errors: io.
inline constexpr std::string_view replaced_mark = ".replaced-";
Result<std::filesystem::path> keep_aside(const std::filesystem::path& path);

// A file that has this SHA-256, unless it is there and whole: under another name until it is. Errors:
// not_found, corrupted (it has another one), io.
Result<void> copy_checked(const std::filesystem::path& from, const std::filesystem::path& to,
                          std::string_view sha256);

// Of one fleet, from its folder into another, which may not be there.
using CopyFleet = Result<void> (*)(const std::filesystem::path& from, const std::filesystem::path& to);
// Each fleet's folder in `from`, into one of the same name in `to`, which is there.
Result<void> copy_fleets(const std::filesystem::path& from, const std::filesystem::path& to, CopyFleet copy);
// The same as a new folder, whole or not at all; nothing is made where there is no `from`. Errors:
// already_exists, those of `copy` and of base/files.
Result<void> copy_fleets_whole(const std::filesystem::path& from, const std::filesystem::path& target,
                               CopyFleet copy);

}  // namespace starling::hub
