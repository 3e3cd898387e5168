// The first line of any file that is named as a program.
#include <cstdint>
#include <cstdlib>

#include "agent/supervisor/deaths/exec_failure.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view head(reinterpret_cast<const char*>(data), size);
  const std::string_view interpreter = starling::agent::interpreter_of(head);
  if (!interpreter.empty() && !head.starts_with("#!")) std::abort();
  if (interpreter.find_first_of(" \t\n") != std::string_view::npos) std::abort();
  return 0;
}
