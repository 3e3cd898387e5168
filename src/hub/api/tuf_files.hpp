// Purpose: /tuf: the files of a fleet's TUF repository, for anybody, since they are signed; and encodings of
// its tars, which give these back or are of no use.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/rate_limit.hpp"
#include "hub/api/services.hpp"
#include "hub/releases/encoding_maker.hpp"
#include "hub/releases/repository_view.hpp"

namespace starling::hub {

class TufFiles {
 public:
  // A device asks for some ten files when it looks for a release; many may be behind one address.
  static constexpr RateLimit::Options per_address{500, 5'000};

  explicit TufFiles(Services& services) : services_(services), limit_(services.clock, per_address) {}
  void add_to(Router& router);
  void tick() { limit_.tick(); }  // every second

 private:
  using Answer = Reply (TufFiles::*)(const Call&) const;
  Reply limited(const Call& call, Answer answer);
  Reply metadata(const Call& call) const;
  Reply tar(const Call& call) const;
  Reply schedule(const Call& call) const;
  Reply target(const Call& call, const std::string& path, const std::string& content_type) const;
  Reply encodings(const Call& call) const;
  Reply encoding(const Call& call) const;
  Result<TarFile> published_tar(const Call& call, std::string_view sha256) const;
  Result<SharedView> view(const Call& call) const;

  Services& services_;
  RateLimit limit_;
};

// "12.targets.json" of a role and its version. Errors: not_found.
struct MetadataName {
  std::int64_t version = 0;
  std::string role;
};
Result<MetadataName> parse_metadata_name(std::string_view file);

}  // namespace starling::hub
