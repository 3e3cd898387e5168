// Purpose: makes a device forget everything but who it is. A mark is left first, and what it asks for is done
// at the next start, before anything is read: a pulled plug delays it and leaves nothing half done.
// Owner: Agent. Thread: one. Lifetime: none.
//
// What stays: identity.json (with the board's serial and the key), the ids of actions (so that none, nor the
// reset, is repeated), component files, and what the living keeper and the lock of the running agent need.
// Modules are enabled again as they shipped, and what their manifests call data is erased.
#pragma once

#include <filesystem>
#include <functional>

#include "agent/disk.hpp"
#include "agent/hub_link/action_core.hpp"
#include "base/log.hpp"

namespace starling::agent {

inline constexpr std::string_view factory_reset_mark = "factory_reset";

// `modules` is the folder of modules, empty: there is none; none of them runs. Errors: those of Disk and
// find_modules. A module that cannot be reset is logged: the device has to come back.
Result<void> finish_factory_reset(Disk& disk, const std::filesystem::path& modules, Logger log);

class FactoryResetRunner final : public ActionRunner {
 public:
  // `restart` makes the agent start anew, soon.
  FactoryResetRunner(Disk& disk, std::function<void()> restart) : disk_(disk), restart_(std::move(restart)) {}
  void run(const protocol::Action& action, Done done) override;

 private:
  Disk& disk_;
  std::function<void()> restart_;
};

}  // namespace starling::agent
