// Purpose: durations, sizes and signals as a person writes them in a module.toml. Owner: values. Thread: any.
// Lifetime: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling::agent {

// Errors of all: invalid_argument, saying what is wanted.
Result<Milliseconds> parse_duration(std::string_view text);    // "500ms", "30s", "5min", "1h", "0"
Result<std::uint64_t> parse_byte_size(std::string_view text);  // "512B", "64KiB", "64MiB", "1GiB", "0"
Result<std::uint32_t> parse_percent(std::string_view text);    // "50%"; of one core: "200%" is two
Result<int> parse_signal(std::string_view name);               // "SIGTERM"
std::string_view signal_name(int number);                      // "SIGTERM"; "" of an unknown one
std::string_view signal_meaning(int number);                   // "segmentation fault"; "" of an unknown one

}  // namespace starling::agent
