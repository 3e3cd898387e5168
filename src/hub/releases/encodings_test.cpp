#include "hub/releases/encodings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>

#include "base/temporary_folder.hpp"
#include "hub/io_executor.hpp"
#include "release/delta.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;
using protocol::Encoding;
using protocol::EncodingOffer;
using protocol::EncodingOffers;

// Hardly to be packed, and the same on every machine.
std::string noise(std::size_t size, std::uint32_t seed) {
  std::string out(size, '\0');
  for (char& c : out) {
    seed = seed * 1664525 + 1013904223;
    c = static_cast<char>(seed >> 24);
  }
  return out;
}

class EncodingsTest : public testing::Test {
 protected:
  EncodingsTest() { fs::create_directories(folder_ / "targets"); }

  TarFile tar(const std::string& bytes) const {
    const Digest hash = sha256(bytes);
    const fs::path path = folder_ / "targets" / hash.hex();
    std::ofstream(path, std::ios::binary) << bytes;
    return {hash, bytes.size(), path};
  }
  void start(Encodings::Options options = {}) {
    encodings_.reset();
    encodings_ = std::make_unique<Encodings>(executor_, clock_, Logger(), options);
  }
  EncodingOffers ask(const TarFile& to, const std::optional<TarFile>& from = std::nullopt) {
    return encodings_->offers(folder_, to, from);
  }
  // Once nothing is being made any more.
  EncodingOffers settled(const TarFile& to, const std::optional<TarFile>& from = std::nullopt) {
    while (ask(to, from).making || ask(to).making)
      context_.run_one();
    return ask(to, from);
  }
  std::string bytes_of(const TarFile& to, const EncodingOffer& offer) {
    const auto file = encodings_->find(folder_, to.hash, offer.hash);
    if (!file) return "nothing";
    EXPECT_EQ(file->encoding, offer.encoding);
    std::ostringstream out;
    out << std::ifstream(file->path, std::ios::binary).rdbuf();
    return out.str();
  }
  static std::string decoded(const std::string& delta, const std::string& from, std::size_t size) {
    release::MemoryBytes bytes(delta);
    release::MemoryBytes old_tar(from);
    auto reader = release::DeltaReader::open(bytes, old_tar, size);
    std::string out;
    while (reader) {
      const auto piece = reader->next();
      if (!piece || piece->empty()) break;
      out += *piece;
    }
    return out;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_ / "encodings"), fs::directory_iterator()));
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path();
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> alive_{context_.get_executor()};
  IoExecutor executor_{context_.get_executor()};
  ManualClock clock_;
  std::unique_ptr<Encodings> encodings_;
  std::string text_ = std::string(5'000, 't') + noise(20'000, 1);
  std::string next_ = text_.substr(0, 9'000) + "something new" + text_.substr(9'000);
};

TEST_F(EncodingsTest, AreMadeWhenTheyAreAskedForAndThenThere) {
  start();
  const TarFile old_tar = tar(text_);
  const TarFile new_tar = tar(next_);
  EXPECT_EQ(ask(new_tar, old_tar), (EncodingOffers{{}, true}));
  const EncodingOffers offers = settled(new_tar, old_tar);
  ASSERT_EQ(offers.ready.size(), 2u);
  EXPECT_EQ(offers.ready[0].encoding, Encoding::delta);
  EXPECT_LT(offers.ready[0].length, 400u);
  EXPECT_EQ(offers.ready[1].encoding, Encoding::packed);
  EXPECT_EQ(decoded(bytes_of(new_tar, offers.ready[0]), text_, next_.size()), next_);
  EXPECT_EQ(decoded(bytes_of(new_tar, offers.ready[1]), "", next_.size()), next_);
  EXPECT_EQ(ask(new_tar).ready, (std::vector<EncodingOffer>{offers.ready[1]}));
  EXPECT_FALSE(encodings_->find(folder_, old_tar.hash, offers.ready[0].hash)) << "it is another's";
  EXPECT_FALSE(encodings_->find(folder_, new_tar.hash, Digest{}));
  EXPECT_EQ(encodings_->bytes_kept(), offers.ready[0].length + offers.ready[1].length);

  start();  // they are found again, and what a power cut left goes
  std::ofstream(folder_ / "encodings" / "x.tmp") << "x";
  EXPECT_EQ(ask(new_tar, old_tar), offers);
  EXPECT_EQ(files(), 2u);
}

TEST_F(EncodingsTest, ADeltaThatIsNoSmallerIsNotOffered) {
  start();
  const TarFile other = tar(noise(20'000, 7));
  const TarFile new_tar = tar(next_);
  const EncodingOffers offers = settled(new_tar, other);
  ASSERT_EQ(offers.ready.size(), 1u);
  EXPECT_EQ(offers.ready[0].encoding, Encoding::packed);
  start();
  EXPECT_EQ(ask(new_tar, other), offers) << "it is known without making it once more";

  const TarFile random = tar(noise(10'000, 3));
  EXPECT_TRUE(settled(random).ready.empty());
}

TEST_F(EncodingsTest, WhatWasUsedLongestAgoMakesRoom) {
  const TarFile first = tar(noise(4'000, 1) + std::string(9'000, 'a'));
  const TarFile second = tar(noise(4'000, 2) + std::string(9'000, 'b'));
  const TarFile third = tar(noise(4'000, 3) + std::string(9'000, 'c'));
  start({.max_bytes = 9'500});
  settled(first);
  settled(second);
  EXPECT_EQ(ask(first).ready.size(), 1u);
  settled(third);
  EXPECT_LE(encodings_->bytes_kept(), 9'500u);
  EXPECT_EQ(files(), 2u);
  EXPECT_EQ(ask(first).ready.size(), 1u);
  EXPECT_EQ(ask(second), (EncodingOffers{{}, true})) << "it is made anew";
}

TEST_F(EncodingsTest, WhatIsGoneIsMadeAnewAndWhatCannotBeMadeIsTriedLater) {
  start();
  const TarFile new_tar = tar(next_);
  const auto offers = settled(new_tar);
  ASSERT_EQ(offers.ready.size(), 1u);
  fs::resize_file(encodings_->find(folder_, new_tar.hash, offers.ready[0].hash)->path, 10);
  EXPECT_TRUE(ask(new_tar).making);
  EXPECT_EQ(settled(new_tar), offers);

  TarFile missing = tar(text_);
  fs::remove(missing.path);
  EXPECT_EQ(settled(missing), EncodingOffers{});
  tar(text_);
  EXPECT_EQ(settled(missing), EncodingOffers{});
  clock_.advance(std::chrono::hours(1));
  EXPECT_EQ(settled(missing).ready.size(), 1u);
}

TEST_F(EncodingsTest, OnlySoManyWaitToBeMade) {
  start({.max_waiting = 1});
  const TarFile first = tar(text_);
  const TarFile second = tar(next_);
  EXPECT_TRUE(ask(first).making);
  EXPECT_TRUE(ask(second).making);
  EXPECT_EQ(settled(first).ready.size(), 1u);
  EXPECT_EQ(settled(second).ready.size(), 1u);
}

TEST_F(EncodingsTest, AHubThatEndsDoesNotWaitForThem) {
  start();
  ask(tar(noise(3'000'000, 5)), tar(noise(3'000'000, 6)));
  encodings_.reset();
}

}  // namespace
}  // namespace starling::hub
