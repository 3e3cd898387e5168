// Purpose: where the sources and the programs of this build are, for tests and benchmarks.
// Owner: tests/build_folders.cpp, which every test links; the programs themselves do not.
// Thread: any. Lifetime: the process.
#pragma once

#include <filesystem>

namespace starling {

std::filesystem::path source_folder();
std::filesystem::path programs_folder();

}  // namespace starling
