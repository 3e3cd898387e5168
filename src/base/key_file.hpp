// Purpose: a file that holds one secret key as text. Owner: none. Thread: any; blocks. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace starling {

struct KeyFile {
  std::string key;      // without the space around it
  std::string warning;  // for people, where others can read it; else empty
};

// Errors: invalid_argument (it is not there, may not be read, is no file, empty or too long), those of
// read_file about the medium.
Result<KeyFile> read_key_file(const std::filesystem::path& path);

}  // namespace starling
