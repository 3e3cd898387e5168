// Purpose: /api/v1/releases: drafts, what is published, and how operators sign it.
// Owner: Api. Thread: the hub's; what blocks goes to the repositories' worker. Lifetime: as long as the
// router's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/api/services.hpp"
#include "hub/releases/repositories.hpp"
#include "hub/releases/upload.hpp"

namespace starling::hub {

class Releases {
 public:
  explicit Releases(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  asio::awaitable<Reply> list(Call& call);
  asio::awaitable<Reply> get(Call& call);
  asio::awaitable<Reply> repository(Call& call);
  Result<std::shared_ptr<http::BodySink>> begin_upload(const Call& call);
  asio::awaitable<Reply> upload(Call& call);
  asio::awaitable<Reply> sign(Call& call);
  asio::awaitable<Reply> remove(Call& call);
  asio::awaitable<Reply> schedule(Call& call);

  // Of one version, as `status`.
  asio::awaitable<Reply> shown(Call& call, std::string version, int status);
  asio::awaitable<Result<JsonArray>> changes_of(std::string fleet, std::string version);

  Services& services_;
  std::vector<std::weak_ptr<Upload>> uploads_;
};

}  // namespace starling::hub
