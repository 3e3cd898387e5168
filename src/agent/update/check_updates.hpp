// Purpose: the action check_updates: the device looks now for what it shall run, and tries what it refused or
// took back once more. Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs.
#pragma once

#include "agent/hub_link/action_core.hpp"
#include "agent/update/update_core.hpp"

namespace starling::agent {

class CheckUpdatesRunner final : public ActionRunner {
 public:
  void attach(UpdateCore& core) { core_ = &core; }
  // Answers with how it stands then: what comes of it is reported as ever.
  void run(const protocol::Action&, Done done) override {
    if (core_ == nullptr) {
      return done(fail(ErrorCode::failed_precondition, "this device takes no releases"));
    }
    core_->check_now();
    done(core_->details());
  }

 private:
  UpdateCore* core_ = nullptr;
};

}  // namespace starling::agent
