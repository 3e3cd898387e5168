// Purpose: updates as the documents have them, over releases and the setting that says who shall run which.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
//
// An update, and its id, is a published release, and its version. Creating one, for devices, is the schedule
// of a release, and software.release in the fleet's layer, a group's or theirs. For the rest:
// update_progress.hpp.
#pragma once

#include "hub/api/services.hpp"
#include "hub/releases/repository_view.hpp"

namespace starling::hub {

class Updates {
 public:
  explicit Updates(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  Reply list(const Call& call) const;
  asio::awaitable<Reply> create(Call& call);
  static Result<const ReleaseTar*> tar_of(const RepositoryView& view, const Call& call);
  asio::awaitable<Reply> download(Call& call);
  asio::awaitable<Reply> devices(Call& call);
  Reply check(const Call& call) const;
  Reply report(const Call& call);
  Result<SharedView> view(const Call& call) const;

  Services& services_;
};

}  // namespace starling::hub
