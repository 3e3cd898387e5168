// Purpose: /api/v1/settings: raw entries of the layers, writes, explain, diff, history, rollback.
// Owner: Api. Thread: the hub's. Lifetime: as long as the router's.
#pragma once

#include "hub/api/services.hpp"
#include "hub/settings/explain.hpp"

namespace starling::hub {

class Settings {
 public:
  explicit Settings(Services& services) : services_(services) {}
  void add_to(Router& router);

 private:
  asio::awaitable<Reply> list(Call& call);
  asio::awaitable<Reply> put(Call& call);
  asio::awaitable<Reply> explain_one(Call& call);
  asio::awaitable<Reply> diff(Call& call);
  asio::awaitable<Reply> history(Call& call);
  asio::awaitable<Reply> rollback(Call& call);

  asio::awaitable<Reply> diff_moments(Call& call, std::int64_t from, std::int64_t to, std::string device_id);

  std::optional<Json> running_value(const DeviceRecord* record, protocol::Section section,
                                    const std::string& key) const;

  Services& services_;
};

}  // namespace starling::hub
