#include "agent/update/release_fetch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <vector>

#include "agent/update/release_shelf.hpp"
#include "agent/update/tar_source.hpp"

namespace starling::agent {

using boost::asio::awaitable;
using protocol::Encoding;

namespace {

// How long to wait for what the hub makes: ten minutes in all, at first not to keep a small one waiting.
constexpr int most_looks = 26;
constexpr Milliseconds first_look{250}, longest_look{30'000};

}  // namespace

std::string ReleaseFetch::name_of(const ReleaseTarget& target, const protocol::EncodingOffer& offer) {
  return fmt::format("{}/files/{}", target.release.hash.hex(), offer.hash.hex());
}

awaitable<Result<DownloadChoice>> ReleaseFetch::choose(ReleaseTarget target, DownloadWish wish) {
  const BytesLeft left = [&](const protocol::EncodingOffer& offer) {
    return bytes_left(disk_, target.release.hash, offer).value_or(offer.length);
  };
  bool checked = false;
  for (int look = 0;; ++look) {
    const auto offers = co_await ask(target, wish);
    if (!offers) co_return fail(offers);
    DownloadChoice choice = choose_download(*offers, wish, target, left, look < most_looks);
    if (choice.look_again) {
      const Milliseconds time = std::min(first_look * (1 << std::min(look, 8)), longest_look);
      if (!co_await sleep_(time)) co_return fail(ErrorCode::unavailable, "not wanted any more");
      continue;
    }
    if (checked || !choice.take || choice.take->encoding != Encoding::delta) co_return choice;
    const Result<void> whole = co_await check(*wish.from);
    if (whole) co_return choice;
    log_.warning("no delta can be used: the release that runs is damaged", {{"why", whole.error().message}});
    wish.from.reset();
    checked = true;
  }
}

// A hub that knows no encodings has the tar.
awaitable<Result<protocol::EncodingOffers>> ReleaseFetch::ask(const ReleaseTarget& target,
                                                              const DownloadWish& wish) {
  std::string path = target.release.hash.hex();
  if (wish.from && wish.first == Encoding::delta) path += "/from/" + wish.from->hex();
  const auto text = co_await encodings_.fetch(std::move(path), protocol::max_encoding_offers_bytes);
  if (!text && text.error().code == ErrorCode::not_found) co_return protocol::EncodingOffers();
  if (!text) co_return fail(text);
  co_return protocol::parse_encoding_offers(*text);
}

// Before bytes are spent on a delta. Errors: corrupted, those of image_of().
awaitable<Result<void>> ReleaseFetch::check(Digest release) {
  const auto executor = co_await boost::asio::this_coro::executor;
  auto image = image_of(disk_, release);
  if (!image) co_return fail(image);
  std::vector<char> block(bytes_at_once);
  Hasher hasher(HashAlgorithm::sha256);
  for (std::uint64_t at = 0; at < image->size();) {
    const auto part = std::span(block).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(bytes_at_once, image->size() - at)));
    if (auto read = image->read(at, part); !read) co_return read;
    hasher.update(std::string_view(part.data(), part.size()));
    at += part.size();
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
  }
  if (hasher.finish() == release.hex()) co_return Result<void>();
  co_return fail(ErrorCode::corrupted, "its files do not give its tar back");
}

}  // namespace starling::agent
