// Purpose: devices as tables and facts.
// Owner: values. Thread: one. Lifetime: none.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/console.hpp"
#include "cli/table.hpp"

namespace starling::cli {

Colour colour_of_status(std::string_view status);
Colour colour_of_sync(std::string_view sync);

// What the device says is wrong on it.
std::int64_t problem_count(const JsonObject& device);

// One line for each device, at most `rows` of them (0: all); first those of which somebody should know.
std::string device_table(const JsonArray& devices, WallTime now, const Terminal& terminal,
                         std::size_t rows = 0);
std::string device_facts(const JsonObject& device, WallTime now, const Terminal& terminal);
// "TARS", or "Jarvis → TARS" where the device still runs another than the desired one.
std::string persona_of(const JsonObject& device);
// Likewise of the release: "v1.2.3", or "v1.2.2 → v1.2.3".
std::string release_of(const JsonObject& device);

}  // namespace starling::cli
