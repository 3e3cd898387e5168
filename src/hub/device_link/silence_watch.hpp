// Purpose: when to look again at devices that are present only for as long as their heartbeats come: nobody
// says that such a device has gone.
// Owner: Sessions. Thread: the hub's. Lifetime: that of its owner.
//
// A heartbeat costs nothing here while the device is watched already: it is looked at when its first deadline
// has passed, and then again at the one that holds by that time.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace starling::hub {

class SilenceWatch {
 public:
  void watch(const std::string& device_id, std::int64_t look_at_ms) {
    if (watched_.insert(device_id).second) looks_.emplace(look_at_ms, device_id);
  }
  // A device whose time has come; it is watched no longer.
  std::optional<std::string> take_due(std::int64_t now_ms) {
    if (looks_.empty() || looks_.top().first > now_ms) return std::nullopt;
    std::string device_id = looks_.top().second;
    looks_.pop();
    watched_.erase(device_id);
    return device_id;
  }

 private:
  using Look = std::pair<std::int64_t, std::string>;  // Unix time, device
  std::priority_queue<Look, std::vector<Look>, std::greater<>> looks_;
  std::unordered_set<std::string> watched_;
};

}  // namespace starling::hub
