// Purpose: reads a module.toml, whoever wrote it: every error names the file, the line and the field, and
// says what is wanted. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/supervisor/folders/manifest.hpp"
#include "base/result.hpp"

namespace starling::agent {

inline constexpr std::size_t max_manifest_bytes = 32 * 1024;  // a spawn request must fit a packet

using AccountLookup = std::function<Result<Account>(std::string_view user)>;

// The account database of this machine. May block. Errors: not_found, io.
Result<Account> system_account(std::string_view user);

// `name` is the module's, `folder` its absolute folder. Nothing but `accounts` looks at the machine: whether
// the executable is there shows when it is started. Errors: invalid_argument, too_large.
Result<ModuleManifest> parse_manifest(std::string_view text, std::string_view name, std::string_view folder,
                                      const AccountLookup& accounts);

}  // namespace starling::agent
