// Purpose: the action retry_settings: settings that the device has refused are offered to it once more.
// Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs.
#pragma once

#include <utility>
#include <vector>

#include "agent/hub_link/action_core.hpp"
#include "agent/settings/settings_core.hpp"

namespace starling::agent {

class RetrySettingsRunner final : public ActionRunner {
 public:
  explicit RetrySettingsRunner(SettingsCore& core) : core_(core) {}
  // Answers with what comes of it. Errors: failed_precondition (refused again, and why).
  void run(const protocol::Action&, Done done) override {
    waiting_.push_back(std::move(done));
    core_.try_refused_again();
  }
  // What the settings have come to.
  void heard(const protocol::ConfigStatus& status) {
    if (status.section != protocol::Section::settings || status.phase == protocol::Phase::staging) return;
    const bool refused =
        status.phase == protocol::Phase::refused || status.phase == protocol::Phase::reverted;
    std::string why;
    for (const protocol::KeyError& error : status.errors)
      why += (why.empty() ? "" : "; ") + (error.key.empty() ? "" : error.key + ": ") + error.message;
    for (const Done& done : std::exchange(waiting_, {})) {
      if (refused) {
        done(fail(ErrorCode::failed_precondition, "refused again: " + why));
      } else {
        done(JsonObject());
      }
    }
  }

 private:
  SettingsCore& core_;
  std::vector<Done> waiting_;
};

}  // namespace starling::agent
