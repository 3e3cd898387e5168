// Purpose: what the settings say of the device's link: what may come over it, and how fast.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/json.hpp"

namespace starling::agent {

struct DownloadPolicy {
  static constexpr const char* metered_key = "updates.metered";
  static constexpr const char* whole_key = "updates.whole_on_metered";
  static constexpr const char* limit_key = "updates.bytes_per_second";

  bool metered = false;
  bool whole_on_metered = false;       // else only deltas come over it
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  bool allows_whole() const { return !metered || whole_on_metered; }
  bool operator==(const DownloadPolicy&) const = default;
};
DownloadPolicy download_policy(const std::map<std::string, Json, std::less<>>& settings);

}  // namespace starling::agent
