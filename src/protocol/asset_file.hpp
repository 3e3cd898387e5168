// Purpose: the files that settings and personas name, as documents carry them: each name with what the file
// is. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol {

inline constexpr std::uint64_t max_asset_bytes = std::uint64_t{256} << 20;
inline constexpr std::size_t max_assets = 1024;  // of one document
// The member of a persona that lists further files: sounds, answers.
inline constexpr std::string_view persona_assets_field = "assets";

struct AssetFile {
  Digest sha256;
  std::uint64_t size = 0;

  bool operator==(const AssetFile&) const = default;
  Json to_json() const;  // {"sha256": "...", "size": 1234}
  // Errors: invalid_argument with pointer.
  static Result<AssetFile> from_json(const Json& json);
};
using Assets = std::map<std::string, AssetFile, std::less<>>;  // by name

// A file's name without any folder: 1 to 255 bytes of UTF-8 that do not begin with '.', without slash and
// control characters. Errors: invalid_argument.
Result<void> check_asset_name(std::string_view name);

// Calls `named` with each name in a value that names files: a string that is not empty, or a list of them.
void for_each_file(const Json& value, const std::function<void(std::string_view)>& named);

}  // namespace starling::protocol
