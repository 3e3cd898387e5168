// Purpose: what a release says of itself: `update_metadata.json` in its tar, and `custom` of its signed
// target. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/version.hpp"

namespace starling::protocol {

enum class Architecture { all, amd64, arm64, armhf };
std::string_view to_string(Architecture architecture);
Result<Architecture> parse_architecture(std::string_view text);  // invalid_argument

// When a device takes it: at its hour of the night, or as soon as nobody is using it.
enum class UpdateType { scheduled, urgent };
std::string_view to_string(UpdateType type);
Result<UpdateType> parse_update_type(std::string_view text);  // invalid_argument

constexpr std::size_t max_description_bytes = 4096;
constexpr std::size_t max_packages = 256;

struct ReleaseMetadata {
  Version version;
  Architecture architecture = Architecture::all;
  UpdateType type = UpdateType::scheduled;
  std::string description;
  std::vector<std::string> packages;  // Debian packages it needs: NAME or NAME=VERSION

  bool operator==(const ReleaseMetadata&) const = default;
};

// Text that goes to apt: a name as Debian's policy has it, and perhaps a version. Errors: invalid_argument.
Result<void> check_package(std::string_view package);
// Errors: invalid_argument, naming what is wrong.
Result<void> check_metadata(const ReleaseMetadata& metadata);

JsonObject to_json(const ReleaseMetadata& metadata);
// Members that are not known are ignored: a release may be made by a newer program. Errors: invalid_argument.
Result<ReleaseMetadata> release_metadata_from(const JsonObject& json);

}  // namespace starling::protocol
