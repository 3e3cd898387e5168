// Purpose: tells why a program could not be executed, and what to do, by what lies at its path: an errno says
// too little. Owner: none; functions block. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "agent/supervisor/folders/manifest.hpp"

namespace starling::agent {

inline constexpr std::size_t program_head_bytes = 256;  // as far as the kernel looks for a #! line

// The interpreter that a script's first bytes name, as the kernel takes it; empty if it is no script.
std::string_view interpreter_of(std::string_view head);

// Of a manifest's program that execve() refused with this error. Empty: no more is known than the error.
std::string explain_exec(const ModuleManifest& manifest, int error);

}  // namespace starling::agent
