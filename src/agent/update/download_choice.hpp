// Purpose: in which form a release is downloaded: the one that leaves least to come, as far as the link may
// be used for it. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/update/download_policy.hpp"
#include "agent/update/release.hpp"
#include "protocol/release_encodings.hpp"

namespace starling::agent {

// The fingerprint of an update that waits for a better link, or a delta.
inline constexpr std::string_view metered = "metered";

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
