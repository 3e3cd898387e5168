#include "agent/update/download_choice.hpp"

#include <gtest/gtest.h>

namespace starling::agent {
namespace {

using protocol::Encoding;
using protocol::EncodingOffer;
using protocol::EncodingOffers;

const EncodingOffer delta{Encoding::delta, 100, sha256("d")};
const EncodingOffer packed{Encoding::packed, 1'000, sha256("p")};

struct Case {
  const char* what;
  EncodingOffers offers;
  bool runs_one = true;
  Encoding first = Encoding::delta;
  DownloadPolicy policy{};
  bool patient = true;
  std::string chosen;
};

std::string chosen(const Case& one, const BytesLeft& left) {
  ReleaseTarget target;
  target.release = {"v1.1.0", sha256("tar")};
  target.length = 3'000;
  DownloadWish wish;
  if (one.runs_one) wish.from = sha256("old");
  wish.first = one.first;
  wish.policy = one.policy;
  const DownloadChoice choice = choose_download(one.offers, wish, target, left, one.patient);
  if (choice.look_again) return "look again";
  if (!choice.take) return choice.waits_for.empty() ? "nothing" : "wait";
  if (choice.take->encoding == Encoding::plain) {
    EXPECT_EQ(choice.take->length, 3'000u);
    EXPECT_EQ(choice.take->hash, sha256("tar"));
  }
  return std::string(to_string(choice.take->encoding));
}

TEST(DownloadChoice, IsWhatCostsLeast) {
  const DownloadPolicy metered_link{.metered = true};
  const DownloadPolicy whole_allowed{.metered = true, .whole_on_metered = true};
  const Case cases[] = {
      {"all there", {{delta, packed}}, true, Encoding::delta, {}, true, "delta"},
      {"a hub that knows none", {}, true, Encoding::delta, {}, true, "plain"},
      {"the first release", {{packed}}, false, Encoding::delta, {}, true, "packed"},
      {"a delta from elsewhere", {{delta, packed}}, false, Encoding::delta, {}, true, "packed"},
      {"a delta is being made", {{packed}, true}, true, Encoding::delta, {}, true, "look again"},
      {"for too long", {{packed}, true}, true, Encoding::delta, {}, false, "packed"},
      {"nothing is made", {{}, true}, true, Encoding::delta, {}, false, "plain"},
      {"a bad delta", {{delta, packed}}, true, Encoding::packed, {}, true, "packed"},
      {"a bad delta, and packed is being made",
       {{delta}, true},
       true,
       Encoding::packed,
       {},
       true,
       "look again"},
      {"both were bad", {{delta, packed}, true}, true, Encoding::plain, {}, true, "plain"},
      {"metered", {{delta, packed}}, true, Encoding::delta, metered_link, true, "delta"},
      {"metered, no delta", {{packed}}, true, Encoding::delta, metered_link, true, "wait"},
      {"metered, a delta is being made",
       {{packed}, true},
       true,
       Encoding::delta,
       metered_link,
       true,
       "look again"},
      {"metered, for too long", {{packed}, true}, true, Encoding::delta, metered_link, false, "wait"},
      {"metered, a bad delta", {{delta, packed}, true}, true, Encoding::packed, metered_link, true, "wait"},
      {"metered, the first release", {{packed}, true}, false, Encoding::delta, metered_link, true, "wait"},
      {"metered, and all may come", {{packed}}, true, Encoding::delta, whole_allowed, true, "packed"},
  };
  for (const Case& one : cases)
    EXPECT_EQ(chosen(one, [](const EncodingOffer& offer) { return offer.length; }), one.chosen) << one.what;
}

TEST(DownloadChoice, WhatHasNearlyComeIsBroughtToItsEnd) {
  const BytesLeft left = [](const EncodingOffer& offer) {
    return offer.encoding == Encoding::plain ? 50 : offer.length;
  };
  EXPECT_EQ(chosen({"", {{delta, packed}}, true, Encoding::delta, {}, true, ""}, left), "plain");
}

TEST(DownloadChoice, FollowsTheSettings) {
  const DownloadPolicy policy = download_policy(
      {{"updates.metered", true}, {"updates.whole_on_metered", true}, {"updates.bytes_per_second", 5'000}});
  EXPECT_TRUE(policy.metered && policy.whole_on_metered);
  EXPECT_EQ(policy.bytes_per_second, 5'000u);
  EXPECT_FALSE(download_policy({}).metered);
}

}  // namespace
}  // namespace starling::agent
