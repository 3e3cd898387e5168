// Purpose: finds what of a new tar is in the old one, perhaps with other addresses in it, and writes the
// rest: the idea of bsdiff (Colin Percival, "Naive differences of executable code", 2003), packed with LZMA.
// Owner: none. Thread: any; busy for about a second a megabyte, with five times the old tar, twice the new
// one and 90 MB in memory. Lifetime: none.
#pragma once

#include <stop_token>
#include <string>

#include "base/result.hpp"
#include "release/bytes.hpp"

namespace starling::release {

constexpr std::uint64_t max_delta_input = 128u << 20;  // of either tar

// The same tars give the same delta; from nothing (an empty old one) it is the whole, packed. Errors:
// too_large (a full download it is), unavailable (it was stopped), those of reading.
Result<std::string> make_delta(Bytes& old_tar, Bytes& new_tar, const std::stop_token& stop = {});
// What that takes at its height.
std::uint64_t bytes_to_make_delta(std::uint64_t old_size, std::uint64_t new_size);

}  // namespace starling::release
