// Purpose: makes the files that a module's manifest wants from templates and the device's settings.
// Owner: none. Thread: any; blocks. Lifetime: none.
//
// `{{component.key}}` stands for the value of a setting: text as it is, everything else as JSON. There is no
// other syntax. A file is replaced whole, and only where its content changes.
#pragma once

#include <string>
#include <string_view>

#include "agent/settings/values.hpp"
#include "agent/supervisor/folders/manifest.hpp"

namespace starling::agent {

inline constexpr std::size_t max_template_bytes = 256 * 1024;

// Errors: invalid_argument (an unknown setting, an unclosed brace), naming the line; too_large.
Result<std::string> render(std::string_view text, const Values& values);

// All of a manifest's. Errors: those of render() and of files, naming the template.
Result<void> render_files(const ModuleManifest& manifest, const Values& values);

}  // namespace starling::agent
