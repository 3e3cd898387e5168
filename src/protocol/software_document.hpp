// Purpose: the software section of a device's desired document, and the setting that it is made of: which
// release a device shall run. Owner: values. Thread: any. Lifetime: none.
//
//   {"release": "v1.2.3", "with": {"settings": PATCH, "modules": PATCH}}
//
// Empty: nobody says, and the device runs on with what it has. `with` is there while the device does not run
// the release yet: merge patches (RFC 7396) on its other sections, which switch with it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol {

// Belongs to no component file.
inline constexpr std::string_view software_release_key = "software.release";

inline constexpr std::string_view release_field = "release";
inline constexpr std::string_view with_field = "with";

// A capability in the handshake: the device knows `with`.
inline constexpr std::string_view ties_sections = "ties_sections";

struct TiedSections {
  JsonObject settings;
  JsonObject modules;
  bool empty() const { return settings.empty() && modules.empty(); }
};

struct SoftwareDocument {
  std::optional<std::string> release;
  TiedSections with{};

  Json to_json() const;
  // Members that are not known are a newer hub's. Errors: invalid_argument with pointer.
  static Result<SoftwareDocument> from_json(const Json& json);
};

}  // namespace starling::protocol
