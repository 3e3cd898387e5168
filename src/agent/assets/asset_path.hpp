// Purpose: where the files of assets lie below the state folder, and what is theirs there.
//
//   assets/SHA256.wav.part   being downloaded
//   assets/SHA256.wav        downloaded, with its hash; never changed then
//
// The ending is that of the name, by which many programs know what a file is.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "protocol/asset_file.hpp"

namespace starling::agent {

inline constexpr std::string_view assets_folder = "assets";
// What modules that name the component `persona` hear beside persona.active: name → path.
inline constexpr std::string_view persona_assets_key = "persona.assets";

std::string asset_path(std::string_view name, const protocol::AssetFile& file);

}  // namespace starling::agent
