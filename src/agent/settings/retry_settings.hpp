// Purpose: the action retry_settings: settings that the device has refused are offered to it once more.
// Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs.
#pragma once

#include "agent/hub_link/action_core.hpp"
#include "agent/settings/settings_core.hpp"

namespace starling::agent {

class RetrySettingsRunner final : public ActionRunner {
 public:
  explicit RetrySettingsRunner(SettingsCore& core) : core_(core) {}
  // Answers at once: what comes of it is reported as ever.
  void run(const protocol::Action&, Done done) override {
    done(JsonObject());
    core_.try_refused_again();
  }

 private:
  SettingsCore& core_;
};

}  // namespace starling::agent
