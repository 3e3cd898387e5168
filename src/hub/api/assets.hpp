// Purpose: /api/v1/assets: files that personas and settings name; and how devices get them.
// Owner: Api. Thread: the hub's; what blocks goes to the files' worker. Lifetime: as long as the router's.
#pragma once

#include <memory>
#include <string>

#include "hub/api/services.hpp"
#include "hub/assets/asset_files.hpp"

namespace starling::hub {

class Assets {
 public:
  explicit Assets(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  Reply list(const Call& call) const;
  Reply get(const Call& call) const;
  Reply content(const Call& call) const;
  Reply file(const Call& call) const;
  Result<std::shared_ptr<http::BodySink>> begin_upload(const Call& call) const;
  asio::awaitable<Reply> put(Call& call);
  asio::awaitable<Reply> remove(Call& call);
  Result<AssetFiles*> files() const;
  Reply send(const Call& call, const Digest& file) const;

  Services& services_;
};

}  // namespace starling::hub
