// Purpose: `starling device list --watch`: the list, kept as it is by the live stream.
// Owner: the command. Thread: one. Lifetime: the call's.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "cli/api_client.hpp"
#include "cli/watch.hpp"

namespace starling::cli {

// On a terminal the table is redrawn in place; otherwise each difference is one line, or one JSON object (the
// stream's own, the state of every device first).
class DeviceWatch final : public StreamWatcher {
 public:
  // `query` is the list's own. `lookups` is a second connection: lists are read while the stream goes on.
  DeviceWatch(Session& session, Parameters query, std::unique_ptr<ApiClient> lookups)
      : session_(session), query_(std::move(query)), lookups_(std::move(lookups)) {}

  // Reads the list, which is shown at the next tick.
  Result<void> load();
  bool on_event(const StreamEvent& event) override;
  bool on_tick() override;

 private:
  void take_reported(const JsonObject& reported);
  void take_change(const JsonObject& change);
  void draw();
  bool awaits_persona(const JsonObject& device) const;

  Session& session_;
  Parameters query_;
  std::unique_ptr<ApiClient> lookups_;
  JsonArray devices_;
  std::map<std::string, std::size_t, std::less<>> index_;  // UUID to place in devices_
  bool drawn_ = true;                                      // what is on the screen is what is known
  bool stale_ = false;    // the list may say more than the stream: new devices, names, personas
  SteadyTime loaded_at_;  // of the list
  SteadyTime drawn_at_;   // ages grow, so the table is redrawn now and then
};

}  // namespace starling::cli
