#include "agent/local_timezone.hpp"

#include "base/files.hpp"
#include "base/timezone.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

// "/usr/share/zoneinfo/posix/Europe/Berlin" → "Europe/Berlin"; "" if the path names no zone.
std::string zone_of_path(std::string_view path) {
  constexpr std::string_view folder = "/zoneinfo/";
  const auto at = path.find(folder);
  if (at == std::string_view::npos) return {};
  path.remove_prefix(at + folder.size());
  for (const std::string_view variant : {"posix/", "right/"}) {
    if (path.starts_with(variant)) path.remove_prefix(variant.size());
  }
  return std::string(path);
}

std::string zone_of_link(const fs::path& link) {
  std::error_code error;
  return zone_of_path(fs::read_symlink(link, error).generic_string());
}

std::string first_line(const fs::path& file) {
  constexpr std::size_t max_bytes = 256;
  const std::string text = read_file(file, max_bytes).value_or("");
  return text.substr(0, text.find_first_of("\r\n"));
}

// tzset(3): ":characters" names a file, as a path or under the folder of zones.
std::string zone_of_tz(std::string_view tz) {
  if (tz.starts_with(':')) tz.remove_prefix(1);
  return tz.starts_with('/') ? zone_of_path(tz) : std::string(tz);
}

}  // namespace

std::string local_timezone(std::string_view tz, const fs::path& root) {
  const fs::path zones = root / "usr/share/zoneinfo";
  for (const std::string& zone :
       {zone_of_tz(tz), zone_of_link(root / "etc/localtime"), first_line(root / "etc/timezone")}) {
    if (!zone.empty() && is_timezone(zone, zones)) return zone;
  }
  return "UTC";
}

}  // namespace starling::agent
