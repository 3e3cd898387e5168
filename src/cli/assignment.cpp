#include "cli/assignment.hpp"

#include "cli/setting_value.hpp"

namespace starling::cli {

CLI::Validator assignment() {
  return CLI::Validator(
      [](const std::string& text) {
        const auto parsed = parse_assignment(text);
        return parsed ? std::string() : parsed.error().message;
      },
      "", "assignment");
}

}  // namespace starling::cli
