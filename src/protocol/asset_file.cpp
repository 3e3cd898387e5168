#include "protocol/asset_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "protocol/excerpt.hpp"
#include "protocol/field_reader.hpp"

namespace starling::protocol {

namespace {
constexpr std::size_t max_asset_name_bytes = 255;
}

Json AssetFile::to_json() const {
  return JsonObject{{"sha256", sha256.hex()}, {"size", static_cast<std::int64_t>(size)}};
}

Result<AssetFile> AssetFile::from_json(const Json& json) {
  if (!json.is_object()) return fail(ErrorCode::invalid_argument, "an asset must be an object");
  FieldReader reader(json.get_object());
  AssetFile file;
  file.sha256 = reader.optional_digest("sha256");
  file.size = static_cast<std::uint64_t>(reader.integer("size", 1, max_asset_bytes));
  if (!file.sha256) reader.refuse("sha256", "must be a SHA-256");
  return reader.finish<AssetFile>(file);
}

Result<void> check_asset_name(std::string_view name) {
  const auto forbidden = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '/' || c == 0x7f; };
  if (!name.empty() && name.size() <= max_asset_name_bytes && name.front() != '.' && is_utf8(name) &&
      std::ranges::none_of(name, forbidden)) {
    return {};
  }
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("'{}' cannot be the name of an asset: 1 to {} bytes of UTF-8 without slash or control "
                  "characters, not beginning with '.'",
                  excerpt(name), max_asset_name_bytes));
}

void for_each_file(const Json& value, const std::function<void(std::string_view)>& named) {
  if (value.is_string() && !value.get_string().empty()) named(value.get_string());
  if (!value.is_array()) return;
  for (const Json& each : value.get_array()) {
    if (each.is_string() && !each.get_string().empty()) named(each.get_string());
  }
}

}  // namespace starling::protocol
