// Purpose: a release as a ZIP of the layout that clients written from the documents expect: pi_client/... and
// update_metadata.json, made piece by piece from its tar. Same tar, same bytes.
// Owner: the response that sends it. Thread: one; blocking. Lifetime: one download; the tar outlives it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "release/bytes.hpp"

namespace starling::release {

class ZipStream {
 public:
  explicit ZipStream(Bytes& tar);
  ZipStream(ZipStream&&) noexcept;
  ~ZipStream();

  // The next bytes, some ten kilobytes; none at the end. The view holds until the next call.
  // Errors: those of TarReader and of reading; nothing more can then be had.
  Result<std::string_view> next();

 private:
  class Writer;
  Bytes& tar_;
  std::uint64_t offset_ = 0;
  bool ended_ = false;
  std::unique_ptr<Writer> writer_;
  std::string out_;
};

}  // namespace starling::release
