// Purpose: versions of releases: semantic versions (semver.org 2.0.0) with a "v" in front, such as
// v1.2.3-rc.1. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling::protocol {

struct Version {
  std::uint32_t major = 0, minor = 0, patch = 0;  // at most 999,999,999
  std::string prerelease;                         // "rc.1"; "" for a release proper

  // By precedence: v1.0.0-alpha < v1.0.0-alpha.1 < v1.0.0-rc.2 < v1.0.0-rc.10 < v1.0.0.
  std::strong_ordering operator<=>(const Version& other) const;
  bool operator==(const Version&) const = default;
};

constexpr std::size_t max_version_bytes = 64;

// Build metadata ("+...") is not taken: two versions that differ only there would be neither equal nor
// ordered. Errors: invalid_argument.
Result<Version> parse_version(std::string_view text);
std::string to_string(const Version& version);

enum class VersionPart { major, minor, patch };
// The next release proper: patch of v1.2.3 is v1.2.4, and of v1.2.3-rc.1 it is v1.2.3, which has yet to come.
// Errors: failed_precondition (the number is as large as it can be).
Result<Version> bump(const Version& version, VersionPart part);

}  // namespace starling::protocol
