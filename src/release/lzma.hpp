// Purpose: LZMA2 of one stream of bytes, without a container: the sizes stand in the delta's head.
// Owner: values. Thread: any, one at a time. Lifetime: LzmaDecoder's bytes outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "release/bytes.hpp"

namespace starling::release {

// What comes after a stop is of no use.
std::string lzma_encode(std::string_view bytes, const std::stop_token& stop = {});

// Gives the bytes back in pieces. It needs as much memory as they are many, at most 8 MiB.
class LzmaDecoder {
 public:
  // What is at [offset, offset + packed_size) of `from` becomes `size` bytes.
  LzmaDecoder(Bytes& from, std::uint64_t offset, std::uint64_t packed_size, std::uint64_t size);
  LzmaDecoder(LzmaDecoder&&) noexcept;
  ~LzmaDecoder();

  // All of `into`. Errors: malformed (they cannot be had), those of reading.
  Result<void> read(std::span<char> into);
  // Whether all has been read, and nothing else is packed there.
  bool at_end() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace starling::release
