// Purpose: the modules that lie in the agent's --modules folder, and the config.txt of each, which mirrors
// whether it is enabled. A broken module is found like the others, with what is wrong with it.
// Owner: values; functions block. Thread: any. Lifetime: none.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/folders/manifest_file.hpp"
#include "base/crypto.hpp"
#include "base/result.hpp"

namespace starling::agent {

using protocol::max_modules;
inline constexpr std::size_t max_module_folders = 4 * max_modules;  // that are shown at all
inline constexpr std::size_t max_config_bytes = 64 * 1024;

struct FoundModule {
  std::string name;
  std::string folder;               // absolute
  Result<ModuleManifest> manifest;  // or why it cannot be started
  // config.txt: nullopt if it does not say; its error is no reason not to run the module.
  Result<std::optional<bool>> enabled;
  bool too_many = false;   // not looked into: there are max_modules others
  Digest manifest_text;    // of what was read for `manifest`, be it only an error
  std::string stamp = {};  // of the file module.toml: another one whenever it is written, also with the same
};

// A folder, or a link that leads to nothing: somebody meant a module by it.
bool may_be_module(const std::filesystem::path& path);
// Sorted by name. Hidden folders and plain files are no modules. Errors: not_found, permission_denied, io.
Result<std::vector<FoundModule>> find_modules(const std::filesystem::path& folder,
                                              const AccountLookup& accounts);
// One module anew: its manifest may have changed.
FoundModule find_module(const std::filesystem::path& folder, std::string_view name,
                        const AccountLookup& accounts);
// One that is more than there may be.
FoundModule one_too_many(const std::filesystem::path& folder, std::string_view name);

// The last `enabled = true|false` of a config.txt; nullopt if there is none. Errors: invalid_argument.
Result<std::optional<bool>> enabled_in(std::string_view config);
// All else, comments and line ends too, stays as it is.
std::string config_with_enabled(std::string_view config, bool enabled);

// Errors of both: too_large, permission_denied, io, invalid_argument.
Result<std::optional<bool>> read_enabled(const std::filesystem::path& module_folder);
// Durable; writes nothing if the file says so already.
Result<void> write_enabled(const std::filesystem::path& module_folder, bool enabled);

}  // namespace starling::agent
