// Purpose: changes as lines that people read.
// Owner: values. Thread: one. Lifetime: none; DeviceNames lives as long as its command.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "cli/api_client.hpp"
#include "cli/console.hpp"

namespace starling::cli {

// Names of devices by UUID, asked for when first needed. It has a connection of its own, so that it can be
// used while a stream is being followed.
class DeviceNames {
 public:
  DeviceNames() = default;  // knows none
  DeviceNames(const Connection& connection, const Clock& clock);
  // The UUID itself if the name is not known.
  std::string of(const std::string& uuid);

 private:
  std::unique_ptr<ApiClient> api_;
  std::map<std::string, std::string, std::less<>> known_;
  int lookups_left_ = 200;
};

// "the fleet", "group room=nursery", "bear-1", "policy of bear-1".
std::string describe_layer(std::string_view layer, DeviceNames& names);
// "hotword.threshold 0.5 → 0.6 on group room=nursery"
std::string describe_edit(const JsonObject& edit, DeviceNames& names);
// "412  2026-11-20 22:33:05  alice: hotword.threshold 0.5 → 0.6 on the fleet (why)", safe to print.
std::string change_line(const JsonObject& change, DeviceNames& names, const Terminal& terminal);

}  // namespace starling::cli
