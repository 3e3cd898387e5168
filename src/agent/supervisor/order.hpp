// Purpose: the order in which modules start (`after` and `requires`), and the cycles that make one
// impossible. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/folders/manifest.hpp"

namespace starling::agent {

struct ModuleOrder {
  std::vector<std::string> sequence;                        // a module comes later than those it names
  std::map<std::string, std::string, std::less<>> refused;  // module → why: "a -> b -> a" starts nowhere
};

// Names that no manifest has are no obstacle to the order. Modules that lead into a cycle without being part
// of it are not refused.
ModuleOrder order_modules(const std::vector<const ModuleManifest*>& manifests);

}  // namespace starling::agent
