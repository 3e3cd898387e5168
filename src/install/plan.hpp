// Purpose: what a release changes of the device's packages, and the way back: pinned when they were fetched,
// and the only thing that is ever installed. Owner: Installer. Thread: one. Lifetime: values; the file is
// written by root for root.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/crypto.hpp"
#include "base/result.hpp"
#include "install/debian.hpp"

namespace starling::install {

struct PlannedChange {
  std::string name, architecture;
  std::string from;  // a version; empty: it was not there
  std::string to;    // likewise: it goes
  Digest file;
  Digest way_back;    // none: that version cannot be had, or there was none
  std::string found;  // what was there then: not `from` where a former plan had not been taken back
  bool operator==(const PlannedChange&) const = default;
};

struct Plan {
  Digest release;
  std::vector<PlannedChange> changes;
  bool begun = false;        // what is there may be of it, and has a way back
  std::int64_t kept_ms = 0;  // when it was said that it stays; 0: it was not
  bool operator==(const Plan&) const = default;
};

std::string text_of(const Plan& plan);
Result<Plan> parse_plan(std::string_view text);  // corrupted

// The one of that name; architecture-independent packages are there for each.
const InstalledPackage* find_package(const std::vector<InstalledPackage>& installed, std::string_view name,
                                     std::string_view architecture);

// The way to what was there before, as far as there is one.
std::vector<PlannedChange> reversed(const std::vector<PlannedChange>& changes);
// Those that have been made, or have been begun, by this plan and nobody else.
std::vector<PlannedChange> made_of(const Plan& plan, const std::vector<InstalledPackage>& installed);

enum class Standing {
  former,
  wanted,
  mixed,
  elsewhere
};  // elsewhere: at a version that the plan does not know
Standing standing_of(const Plan& plan, const std::vector<InstalledPackage>& installed);

}  // namespace starling::install
