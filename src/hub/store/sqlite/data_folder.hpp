// Purpose: the files of a hub's data folder that belong to its database, and how to open them.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>

#include "base/files.hpp"
#include "base/result.hpp"
#include "hub/store/sqlite/database.hpp"

namespace starling::hub::sqlite {

struct DataFolder {
  std::filesystem::path path;
  std::string vfs;  // see Database::open

  std::filesystem::path database() const { return path / "starling.db"; }
  std::filesystem::path high_water() const { return path / "high-water.json"; }

  // Makes the folder if need be. failed_precondition: another hub, or a restore, has it.
  Result<FileLock> lock() const;
  // For the one writer: makes the file and its tables if there are none; every commit reaches the disk.
  Result<Database> open_for_writing() const;
  Result<Database> open_for_reading() const;
};

}  // namespace starling::hub::sqlite
