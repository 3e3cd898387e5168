// Purpose: what devices themselves call: registration, heartbeats, status, the question for updates.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include <optional>
#include <string>

#include "hub/api/services.hpp"

namespace starling::hub {

class Registration {
 public:
  explicit Registration(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  asio::awaitable<Reply> enrol(Call& call);
  asio::awaitable<Reply> heartbeat(Call& call);
  Reply set_status(const Call& call);

  // A sign of life.
  struct Heard {
    std::string version;   // "": as before
    bool present = false;  // over REST, that is
    std::optional<std::string> status;
  };
  void hear(DeviceRecord& record, const Heard& heard);
  asio::awaitable<Result<void>> save_timezone(Call& call, std::string device_id, std::string timezone);

  Services& services_;
};

}  // namespace starling::hub
