// Purpose: folders of JSON files that ship with the programs or that an operator adds to, like the
// components. Owner: none. Thread: any; blocking. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling {

struct JsonFile {
  std::string path;
  Json content;
};

// Those of a folder, sorted by name. Errors: those of list_folder.
Result<std::vector<std::filesystem::path>> json_files_in(const std::filesystem::path& folder);

// Errors: invalid_argument (naming the file), those of read_file.
Result<JsonFile> read_json_file(const std::filesystem::path& path);

// Every *.json of the folders, folder by folder, sorted by name. Errors: not_found (a folder does not exist),
// invalid_argument (naming the file), those of read_file.
Result<std::vector<JsonFile>> read_json_folders(const std::vector<std::filesystem::path>& folders);

// Where the files of this kind are that ship with this binary: ../share/starling/NAME beside an installed
// one, else in the source tree that it was built in. Errors: not_found.
Result<std::filesystem::path> shipped_folder(std::string_view name);

}  // namespace starling
