#include "base/json_folder.hpp"

#include "base/files.hpp"

namespace starling {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t max_file_bytes = 1u << 20;

}  // namespace

Result<std::vector<fs::path>> json_files_in(const fs::path& folder) {
  auto paths = list_folder(folder);
  if (paths) std::erase_if(*paths, [](const fs::path& path) { return path.extension() != ".json"; });
  return paths;
}

Result<JsonFile> read_json_file(const fs::path& path) {
  const auto text = read_file(path, max_file_bytes);
  if (!text) return fail(text);
  auto json = parse_json(*text);
  if (!json) return fail(json, path.string());
  return JsonFile{path.string(), std::move(*json)};
}

Result<std::vector<JsonFile>> read_json_folders(const std::vector<fs::path>& folders) {
  std::vector<JsonFile> files;
  for (const fs::path& folder : folders) {
    const auto paths = json_files_in(folder);
    if (!paths) return fail(paths);
    for (const fs::path& path : *paths) {
      auto file = read_json_file(path);
      if (!file) return fail(file);
      files.push_back(std::move(*file));
    }
  }
  return files;
}

Result<fs::path> shipped_folder(std::string_view name) {
  std::error_code error;
  const fs::path bin = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (const char* place : {"../share/starling", "../../.."}) {
    fs::path folder = (bin / place / name).lexically_normal();
    if (fs::is_directory(folder, error)) return folder;
  }
  return fail(ErrorCode::not_found, "there is no folder '" + std::string(name) + "' near " + bin.string() +
                                        ": the installation is not complete");
}

}  // namespace starling
