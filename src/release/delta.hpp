// Purpose: makes a release's tar of a delta and of the release that a device has. The delta need not be
// trusted: what comes out is as long as was signed, and the caller compares its hash with the signed one.
// Owner: the download. Thread: one; blocking, a piece at a time. Lifetime: one update; what it reads outlives
// it.
//
// A delta (numbers little-endian): "STDELTA1", SHA-256 of the old tar and of the new one, their lengths, then
// for each of three streams its length and its packed length (u64 each), then the streams, packed. Control:
// for each step how far to move in the old tar (zigzag), how many bytes to take from there with the next
// differences added, and how many of the literal bytes follow, as LEB128. Differences, literals: bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/result.hpp"
#include "release/bytes.hpp"
#include "release/lzma.hpp"

namespace starling::release {

struct DeltaHead {
  Digest old_hash, new_hash;
  std::uint64_t old_size = 0, new_size = 0;
  struct Stream {
    std::uint64_t size = 0, packed_size = 0;
  };
  Stream control, differences, literals;
};
constexpr std::size_t delta_head_bytes = 136;

// Errors: malformed, those of reading.
Result<DeltaHead> read_delta_head(Bytes& delta);
std::string delta_head_bytes_of(const DeltaHead& head);

class DeltaReader {
 public:
  // `old_tar` is most likely a ReleaseImage. Errors: malformed, failed_precondition (for another old release,
  // or it makes another length than the signed one), those of reading.
  static Result<DeltaReader> open(Bytes& delta, Bytes& old_tar, std::uint64_t signed_size);

  // The next bytes of the new tar, at most 64 KiB; none at the end. The view holds until the next call.
  // Errors: malformed, those of reading. A damaged old release may show only in the hash of the whole.
  Result<std::string_view> next();

 private:
  DeltaReader(Bytes& delta, Bytes& old_tar, const DeltaHead& head);
  Result<void> begin_step();
  Result<std::uint64_t> read_number();

  Bytes* old_;
  LzmaDecoder control_, differences_, literals_;
  std::uint64_t left_;                  // of the new tar
  std::uint64_t place_ = 0;             // in the old tar
  std::uint64_t add_ = 0, insert_ = 0;  // left of this step
  std::vector<char> piece_, added_;
};

}  // namespace starling::release
