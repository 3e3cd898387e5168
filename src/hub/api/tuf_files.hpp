// Purpose: /tuf: the files of a fleet's TUF repository, for anybody, since they are signed; and encodings of
// its tars, which give these back or are of no use.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"
#include "hub/releases/encoding_maker.hpp"
#include "hub/releases/repository_view.hpp"

namespace starling::hub {

class TufFiles {
 public:
  explicit TufFiles(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  Reply metadata(const Call& call) const;
  Reply target(const Call& call, const std::string& path, const std::string& content_type) const;
  Reply encodings(const Call& call) const;
  Reply encoding(const Call& call) const;
  Result<TarFile> published_tar(const Call& call, std::string_view sha256) const;
  Result<SharedView> view(const Call& call) const;

  Services& services_;
};

// "12.targets.json" of a role and its version. Errors: not_found.
struct MetadataName {
  std::int64_t version = 0;
  std::string role;
};
Result<MetadataName> parse_metadata_name(std::string_view file);

}  // namespace starling::hub
