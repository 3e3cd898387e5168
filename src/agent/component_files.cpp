#include "agent/component_files.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "base/files.hpp"

namespace starling::agent {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t max_component_bytes = 1u << 20;

Result<std::shared_ptr<const protocol::Component>> read_component(const fs::path& path) {
  const auto text = read_file(path, max_component_bytes);
  if (!text) return fail(text);
  const auto json = parse_json(*text);
  if (!json) return fail(json, path.string());
  auto component = protocol::Component::from_json(*json);
  if (!component) {
    const Error& error = component.error();
    return fail(component, path.string() + (error.field.empty() ? "" : " at " + error.field));
  }
  return component;
}

}  // namespace

Result<protocol::Catalog> read_components(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (entries->path().extension() == ".json") paths.push_back(entries->path());
  }
  if (error)
    return fail(ErrorCode::not_found, "component files in " + folder.string() + ": " + error.message());
  if (paths.empty()) return fail(ErrorCode::not_found, "there are no component files in " + folder.string());
  std::sort(paths.begin(), paths.end());
  protocol::Catalog catalog;
  for (const fs::path& path : paths) {
    auto component = read_component(path);
    if (!component) return fail(component);
    if (auto put = catalog.put(std::move(*component)); !put) return fail(put, path.string());
  }
  return catalog;
}

Result<fs::path> find_components() {
  if (const char* chosen = std::getenv("STARLING_COMPONENTS")) return fs::path(chosen);
  std::error_code error;
  const fs::path bin = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"../share/starling/components", "../../../components"}) {
    fs::path folder = (bin / place).lexically_normal();
    if (fs::is_directory(folder, error)) return folder;
  }
  return fail(ErrorCode::not_found,
              "no component files were found near " + bin.string() + ": name their folder with --components");
}

}  // namespace starling::agent
