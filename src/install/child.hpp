// Purpose: runs a program to its end and takes what it said. Owner: none. Thread: one; blocking. Lifetime:
// none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace starling::install {

struct ChildEnd {
  bool well = false;   // it ended with 0
  std::string output;  // at most 8 MiB
  std::string errors;  // likewise
};

// Without a shell, without input, and with messages in English, which are read. Errors: not_found (there is
// no such program), io.
Result<ChildEnd> run_child(const std::vector<std::string>& command,
                           const std::filesystem::path& folder = "/");

}  // namespace starling::install
