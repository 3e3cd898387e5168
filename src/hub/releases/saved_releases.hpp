// Purpose: the repositories of all fleets in a backup, beside that of the database.
// Owner: none. Thread: any; blocking. Lifetime: none.
//
// A backup may be made while a hub publishes: files that current.json leads to never change, so whatever it
// led to at one moment is copied, and begun again should a file have been swept meanwhile. Made after the
// database's, it has all the releases that the database speaks of; a hub records what is published and not in
// its log when it starts.
//
// What is published stays published: a repository that is in place and whole is kept when a backup is
// restored. Whichever it is, the hub signs it anew with versions above all that devices may have seen. No hub
// publishes more than once a millisecond for long, so the milliseconds since 1970 are such a number.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling::hub {

// Of a backup of the database: "hub.backup" → "hub.backup.releases".
std::filesystem::path saved_releases_of(const std::filesystem::path& backup);

// Copies DATA/releases to `target`, whole or not at all. No fleet has releases: nothing is made. Errors:
// already_exists, corrupted, unavailable (files went away again and again), io and those of base/files.
Result<void> back_up_releases(const std::filesystem::path& data, const std::filesystem::path& target);

// In two steps, so that nothing has changed if `saved` turns out to be damaged. Errors: corrupted, io and
// those of base/files.
Result<void> stage_releases(const std::filesystem::path& saved, const std::filesystem::path& data);
void drop_staged_releases(const std::filesystem::path& data);
// Gives the fleets whose repositories came from the backup; what was in their places is kept as
// DATA/releases/FLEET.replaced-N.
Result<std::vector<std::string>> put_staged_releases(const std::filesystem::path& data, WallTime now);

}  // namespace starling::hub
