// A request of the agent to starling-install, and an answer, with any content: refused, or read as what would
// be written, and with nothing in it that a tool could take for something else than a package.
#include <cstdint>
#include <cstdlib>

#include "protocol/package_request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::protocol;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = parse_package_request(text)) {
    if (parse_package_request(text_of(*request)) != *request) std::abort();
    for (const std::string& package : request->packages)
      if (package.starts_with('-') || package.find_first_of("/ \t\n*?\\") != std::string::npos) std::abort();
  }
  if (const auto answer = parse_package_answer(text)) {
    if (parse_package_answer(text_of(*answer)) != *answer) std::abort();
  }
  return 0;
}
