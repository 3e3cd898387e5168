// Purpose: a large file, a release's tar or an asset, on its way from an operator to the hub's disk: bounded,
// and hashed while it comes.
// Owner: the request. Thread: the hub's, whose page cache takes the parts; keep() blocks and is for the
// worker. Lifetime: the request's; what is not kept is removed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/crypto.hpp"
#include "base/http/message.hpp"
#include "hub/releases/unfinished_file.hpp"

namespace starling::hub {

class Upload final : public http::BodySink {
 public:
  // What may come. Literals.
  struct Kind {
    std::string_view noun;
    std::string_view limit;  // "a release has at most 1024 MB"
    std::uint64_t max_bytes = 0;
  };
  static constexpr Kind release{"release's tar", "a release has at most 1024 MB for each architecture",
                                std::uint64_t{1} << 30};

  // `sha256`: of the whole, hexadecimal; empty: whatever it is. `announced`: how much will come, 0 if nobody
  // says. Errors: invalid_argument, too_large, failed_precondition (the disk has no room for it), io.
  static Result<std::shared_ptr<Upload>> begin(const std::filesystem::path& folder, std::string sha256,
                                               std::uint64_t announced, const Kind& kind);

  Result<void> write(std::string_view part) override;
  // Whether all of it has come, as announced. Errors: invalid_argument.
  Result<void> finish();
  // Syncs it and gives it its name. Errors: io.
  Result<void> keep(const std::filesystem::path& as) const { return file_.keep(as); }

  std::uint64_t length() const { return length_; }
  const std::string& sha256() const { return sha256_; }  // once it is finished

 private:
  Upload(UnfinishedFile file, std::string sha256, const Kind& kind)
      : kind_(kind), file_(std::move(file)), sha256_(std::move(sha256)) {}

  const Kind kind_;
  UnfinishedFile file_;
  std::string sha256_;
  Hasher hasher_{HashAlgorithm::sha256};
  std::uint64_t length_ = 0;
};

// What the Content-Length says; 0 if it says nothing.
std::uint64_t announced_bytes(const http::Request& request);

}  // namespace starling::hub
