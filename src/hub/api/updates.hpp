// Purpose: updates as the documents have them, over releases and the setting that says who shall run which.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
//
// | of the documents            | is here                                                              |
// |-----------------------------|----------------------------------------------------------------------|
// | an update, and its id       | a published release, and its version                                 |
// | creating one, for devices   | the schedule of a release, and software.release in the fleet's layer or
// theirs | | pending                     | desired and not in force: also while it waits for its hour | |
// downloading, installing     | staging, provisional                                                 | |
// completed, failed           | in force; refused or reverted                                        |
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
  Reply download(const Call& call) const;
  Reply check(const Call& call) const;
  Reply report(const Call& call);
  Result<SharedView> view(const Call& call) const;

  Services& services_;
};

}  // namespace starling::hub
