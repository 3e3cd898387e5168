#include "agent/update/download_policy.hpp"

#include <algorithm>

namespace starling::agent {

DownloadPolicy download_policy(const std::map<std::string, Json, std::less<>>& settings) {
  const auto says = [&settings](const char* key) {
    const auto found = settings.find(key);
    return found != settings.end() && found->second.is_bool() && found->second.get_bool();
  };
  DownloadPolicy policy;
  policy.metered = says(DownloadPolicy::metered_key);
  policy.whole_on_metered = says(DownloadPolicy::whole_key);
  const auto limit = settings.find(DownloadPolicy::limit_key);
  if (limit != settings.end() && limit->second.is_int64())
    policy.bytes_per_second =
        static_cast<std::uint64_t>(std::max<std::int64_t>(limit->second.get_int64(), 0));
  return policy;
}

}  // namespace starling::agent
