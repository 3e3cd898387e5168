// Purpose: what is desired of one device: effective values, also at a past revision, and the document as it
// is sent. Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"

namespace starling::hub {

class DeviceDocuments {
 public:
  explicit DeviceDocuments(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  asio::awaitable<Reply> settings(Call& call);
  Reply document(const Call& call);

  Services& services_;
};

}  // namespace starling::hub
