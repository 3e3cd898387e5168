// Names of files that anybody may ask for: what is taken leads to a file of its own folder and nowhere else.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hub/api/tuf_files.hpp"
#include "hub/releases/repository_view.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto name = starling::hub::parse_metadata_name(text)) {
    const std::string again = std::to_string(name->version) + "." + name->role + ".json";
    if (name->version < 1 || name->role.empty() || again != text) std::abort();
  }
  if (const auto name = starling::hub::parse_tar_path(text)) {
    if (starling::hub::tar_path(name->version, name->architecture) != text) std::abort();
    if (name->version.find('/') != std::string::npos) std::abort();
  }
  return 0;
}
