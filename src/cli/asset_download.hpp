// Purpose: brings an asset's file onto this machine. Until it is whole it is called FILE.part, and a later
// attempt goes on where that ends. Owner: none. Thread: one; blocking. Lifetime: none.
#pragma once

#include <filesystem>

#include "cli/api_client.hpp"
#include "protocol/asset_file.hpp"

namespace starling::cli {

// Errors: those of ApiClient, corrupted (what came does not have the asset's hash), io and those of
// base/files.
Result<void> download_asset(ApiClient& api, const protocol::AssetFile& asset,
                            const std::filesystem::path& file);

}  // namespace starling::cli
