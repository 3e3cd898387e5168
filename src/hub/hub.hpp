// Purpose: the hub without sockets: its parts, wired. The server puts HTTP in front of it, the fleet
// simulator a virtual network. Owner: main() or the simulator. Thread: the hub's. Lifetime: the Store,
// Executor and Clock outlive it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/device_link/device_records.hpp"
#include "hub/device_link/sessions.hpp"
#include "hub/executor.hpp"
#include "hub/settings/documents.hpp"
#include "hub/state/change_log.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

inline constexpr std::string_view default_fleet = "default";

class RolloutEngine;

class Hub {
 public:
  Hub(Store& store, Executor& executor, const Clock& clock, Log* log, Sessions::Options options);
  ~Hub();

  // Loads the store. Errors: those of Store::load, corrupted.
  Result<void> load();

  ChangeLog& changes() { return changes_; }
  DeviceRecords& records() { return records_; }
  Documents& documents() { return documents_; }
  Sessions& sessions() { return sessions_; }
  RolloutEngine& rollouts() { return *rollouts_; }

  void tick();  // every second
  void stop();

 private:
  Store& store_;
  ChangeLog changes_;
  DeviceRecords records_;
  Documents documents_;
  Sessions sessions_;
  std::unique_ptr<RolloutEngine> rollouts_;
};

}  // namespace starling::hub
