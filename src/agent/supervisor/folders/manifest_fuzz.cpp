// Whatever lies in a module's folder as module.toml: it becomes a manifest within its limits, or an error
// that can be shown.
#include <cstdint>
#include <cstdlib>

#include "agent/supervisor/folders/manifest_file.hpp"
#include "base/utf8.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::agent;
  static const AccountLookup accounts = [](std::string_view user) -> Result<Account> {
    if (user != "voice") return fail(ErrorCode::not_found, "there is no such user");
    return Account{"voice", 1000, 1000, {}, "/home/voice"};
  };
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<ModuleManifest> manifest = parse_manifest(text, "fuzzed", "/modules/fuzzed", accounts);
  if (!manifest) {
    const std::string& message = manifest.error().message;
    if (!message.starts_with("fuzzed/module.toml") || !is_utf8(message)) std::abort();
    return 0;
  }
  if (!manifest->exec.starts_with('/') || !manifest->working_folder.starts_with('/')) std::abort();
  if (manifest->start_timeout > longest_start_timeout || manifest->start_timeout <= Milliseconds(0))
    std::abort();
  for (const std::string& name : manifest->after) {
    if (!valid_module_name(name)) std::abort();
  }
  return 0;
}
