#include "agent/update/download_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace starling::agent {

using protocol::Encoding;
using protocol::EncodingOffer;

DownloadChoice choose_download(const protocol::EncodingOffers& offers, const DownloadWish& wish,
                               const ReleaseTarget& target, const BytesLeft& left, bool patient) {
  const bool deltas = wish.from && wish.first == Encoding::delta;
  const bool whole = wish.policy.allows_whole();
  std::vector<EncodingOffer> candidates;
  for (const EncodingOffer& offer : offers.ready) {
    if (offer.encoding < wish.first) continue;
    if (offer.encoding == Encoding::delta ? deltas : whole) candidates.push_back(offer);
  }
  const bool has_best = std::ranges::any_of(
      candidates, [&](const EncodingOffer& offer) { return offer.encoding == Encoding::delta || !deltas; });
  DownloadChoice choice;
  if (!has_best && offers.making && patient && (deltas || (whole && wish.first != Encoding::plain))) {
    choice.look_again = true;
    return choice;
  }
  if (whole) candidates.push_back({Encoding::plain, target.length, target.release.hash});
  if (candidates.empty()) {
    choice.waits_for = fmt::format(
        "the link is metered ({}) and there is no delta{}: as a whole the release has up to {} bytes, "
        "which {} lets come",
        DownloadPolicy::metered_key, offers.making && deltas ? " yet" : "", target.length,
        DownloadPolicy::whole_key);
    return choice;
  }
  choice.take = *std::ranges::min_element(candidates, {}, left);
  return choice;
}

}  // namespace starling::agent
