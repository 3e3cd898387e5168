// Purpose: the software section of a device's desired document, and the setting that it is made of: which
// release a device shall run. Owner: values. Thread: any. Lifetime: none.
//
//   {"release": "v1.2.3"}
//
// Empty: nobody says, and the device runs on with what it has.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol {

// Belongs to no component file.
inline constexpr std::string_view software_release_key = "software.release";

struct SoftwareDocument {
  std::optional<std::string> release;

  Json to_json() const;
  // Members that are not known are a newer hub's. Errors: invalid_argument with pointer.
  static Result<SoftwareDocument> from_json(const Json& json);
};

}  // namespace starling::protocol
