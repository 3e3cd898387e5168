// Purpose: the Python packages that a release brings along: a requirements.txt and, in a folder beside it,
// the wheels that it is installed from. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace starling::release {

constexpr std::string_view requirements_path = "payload/requirements.txt";
constexpr std::string_view wheels_path = "payload/wheels";
constexpr std::size_t max_requirements_bytes = 128u << 10;

bool is_wheel(std::string_view path);  // in that folder itself, where pip looks for them

// Whether packed wheels can be all that it asks for: no line names a place to fetch from, or another file.
// Errors: invalid_argument with the line.
Result<void> check_requirements(std::string_view text);

}  // namespace starling::release
