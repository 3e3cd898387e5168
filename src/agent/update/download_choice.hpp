// Purpose: in which form a release is downloaded: the one that leaves least to come, as far as the link may
// be used for it. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/update/release.hpp"
#include "base/json.hpp"
#include "protocol/release_encodings.hpp"

namespace starling::agent {

// The fingerprint of an update that waits for a better link, or a delta.
inline constexpr std::string_view metered = "metered";

// What the settings say of the device's link.
struct DownloadPolicy {
  static constexpr const char* metered_key = "updates.metered";
  static constexpr const char* whole_key = "updates.whole_on_metered";
  static constexpr const char* limit_key = "updates.bytes_per_second";

  bool metered = false;
  bool whole_on_metered = false;       // else only deltas come over it
  std::uint64_t bytes_per_second = 0;  // 0: no limit
  bool allows_whole() const { return !metered || whole_on_metered; }
};
DownloadPolicy download_policy(const std::map<std::string, Json, std::less<>>& settings);

struct DownloadWish {
  std::optional<Digest> from;  // a release that is unpacked, for a delta to build on
  protocol::Encoding first = protocol::Encoding::delta;  // those before it turned out damaged
  DownloadPolicy policy;
};

struct DownloadChoice {
  std::optional<protocol::EncodingOffer> take;
  bool look_again = false;  // something better is being made
  std::string waits_for;    // why neither
};
// `left`: how much of an offer is still to come. `patient`: there is time to wait for what is being made.
using BytesLeft = std::function<std::uint64_t(const protocol::EncodingOffer& offer)>;
DownloadChoice choose_download(const protocol::EncodingOffers& offers, const DownloadWish& wish,
                               const ReleaseTarget& target, const BytesLeft& left, bool patient);

}  // namespace starling::agent
