// Purpose: makes what is sent instead of a release's tar, and tries it out before a device has to.
// Owner: Encodings. Thread: its worker's: it is busy for about a second a megabyte. Lifetime: none.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "base/crypto.hpp"
#include "base/result.hpp"

namespace starling::hub {

struct TarFile {
  Digest hash;
  std::uint64_t length = 0;
  std::filesystem::path path;
};

// A delta from `from`; without one, the whole. Errors: too_large (none is made of such tars), unavailable
// (stopped, or too little memory at the moment), corrupted (it does not give the tar back), those of reading.
Result<std::string> make_encoding(const TarFile& to, const std::optional<TarFile>& from,
                                  const std::stop_token& stop);

}  // namespace starling::hub
