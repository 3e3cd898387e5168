// Purpose: runs a program to its end and takes what it said. Owner: none. Thread: one; blocking. Lifetime:
// none.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling::install {

struct Command {
  std::vector<std::string> words;
  std::filesystem::path folder = "/";
  std::vector<std::string> environment{};  // NAME=value, beside what is there
  Milliseconds limit = std::chrono::minutes(40);
};

struct ChildEnd {
  bool well = false;   // it ended with 0
  std::string output;  // its first max_output_bytes
  std::string errors;  // likewise
};

constexpr std::size_t max_output_bytes = 8u << 20;
constexpr std::size_t flood_bytes = 64u << 20;  // who says more is killed

// Without a shell, without input, in a process group of its own, and with messages in English, which are
// read. Errors: not_found (there is no such program), timed_out (it is killed, with its group, also for a
// flood), io.
Result<ChildEnd> run_child(const Command& command);

}  // namespace starling::install
