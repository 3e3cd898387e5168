#include "agent/assets/asset_path.hpp"

#include <algorithm>

namespace starling::agent {

std::string asset_path(std::string_view name, const protocol::AssetFile& file) {
  constexpr std::size_t longest_ending = 16;
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  std::string path = std::string(assets_folder) + "/" + file.sha256.hex();
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return path;
  const std::string_view ending = name.substr(dot + 1);
  if (ending.empty() || ending.size() > longest_ending || !std::ranges::all_of(ending, is_plain)) return path;
  // What is still being downloaded is told by its ending.
  return ending == "part" ? path : path + "." + std::string(ending);
}

}  // namespace starling::agent
