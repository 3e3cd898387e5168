// The only file that is compiled with the paths of a checkout: the objects of all others are the same in
// each.
#include "base/build_folders.hpp"

namespace starling {

std::filesystem::path source_folder() {
  return STARLING_SOURCE_DIR;
}

std::filesystem::path programs_folder() {
  return STARLING_BIN_DIR;
}

}  // namespace starling
