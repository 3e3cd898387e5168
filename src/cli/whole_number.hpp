// Purpose: the check of an option that takes a whole number. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>

namespace starling::cli {

// Says what is wanted, where CLI11's own checks speak of ranges of floating-point numbers.
CLI::Validator whole_number(std::int64_t least);

}  // namespace starling::cli
