#include "release/requirements.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace starling::release {

bool is_wheel(std::string_view path) {
  return path.substr(0, path.rfind('/')) == wheels_path && path.ends_with(".whl");
}

Result<void> check_requirements(std::string_view text) {
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view whole = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(whole.size() + 1, text.size()));
    const std::size_t begin = std::min(whole.find_first_not_of(" \t"), whole.size());
    const std::string_view line = whole.substr(begin);
    if (line.starts_with('#')) continue;
    const bool option = line.starts_with('-') && !line.starts_with("--hash");
    if (!option && line.find("://") == std::string_view::npos) continue;
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("requirements.txt:{}: a release is installed from its own wheels alone: no options "
                    "but --hash, and no addresses",
                    number));
  }
  return {};
}

}  // namespace starling::release
