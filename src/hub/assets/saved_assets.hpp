// Purpose: the files of assets in a backup, beside that of the database.
// Owner: none. Thread: any; blocking. Lifetime: none.
//
// They never change and are named by their hash: those that a backup has are added to what there is. A hub
// collects what nobody has a name for.
#pragma once

#include <filesystem>

#include "base/result.hpp"

namespace starling::hub {

// Of a backup of the database: "hub.backup" → "hub.backup.assets".
std::filesystem::path saved_assets_of(const std::filesystem::path& backup);

// Copies DATA/assets to `target`, whole or not at all; made after the database's, it has all that the
// database speaks of, also while a hub runs. No fleet has assets: nothing is made. Errors: already_exists,
// corrupted, io and those of base/files.
Result<void> back_up_assets(const std::filesystem::path& data, const std::filesystem::path& target);

// Puts each file in its place where it is missing or damaged. Errors: corrupted (in the backup), io and those
// of base/files.
Result<void> restore_assets(const std::filesystem::path& saved, const std::filesystem::path& data);

}  // namespace starling::hub
