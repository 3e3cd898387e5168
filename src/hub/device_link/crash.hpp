// Purpose: how a module died on a device, the same way again and again.
// Owner: values. Thread: the hub's. Lifetime: none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.hpp"

namespace starling::hub {

struct Crash {
  std::string module;
  std::string fingerprint;  // of its kind: the same on other devices
  std::string death_class;  // "exit", "signal", ...
  std::string text;
  std::string confidence;
  std::int64_t deaths = 0;
  std::int64_t first_ms = 0, last_ms = 0;  // when the hub heard of it
  std::vector<std::string> releases;       // that the module came with, in the order in which they had it
};

// What is kept of one device: so many kinds, the newest ones.
inline constexpr std::size_t max_crashes = 16;
inline constexpr std::size_t max_crash_releases = 8;

JsonArray to_json(const std::vector<Crash>& crashes);
std::vector<Crash> crashes_from_json(const Json* stored);

// Counts the deaths that a device's report of its modules tells of for the first time. `counted`: module →
// how many of them are counted already, and in "by kind" module → fingerprint → how many. A module that has
// died fewer times than that began anew.
void count_deaths(const JsonObject& modules, std::int64_t now_ms, JsonObject& counted,
                  std::vector<Crash>& crashes);

}  // namespace starling::hub
