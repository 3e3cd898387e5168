// Purpose: facts about the machine that the agent runs on.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.hpp"

namespace starling::agent {

struct Board {
  std::string serial;       // empty: the board has none that is readable
  std::string device_type;  // "raspberry-pi-zero-2w", "linux-x86_64"
  std::string boot_id;      // another one after each boot
  JsonObject metadata;      // hardware, os, kernel, architecture, memory_mb, cpus
};

// `root` is "/" but in tests. STARLING_BOARD_SERIAL beats what the machine says.
Board read_board(const std::filesystem::path& root = "/");

// "Raspberry Pi Zero 2 W Rev 1.0" → "raspberry-pi-zero-2w".
std::string device_type_of(std::string_view model);

}  // namespace starling::agent
