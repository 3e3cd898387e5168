// Purpose: what the update core wants done, and what it asks of the rest of the device.
// Owner: the agent or a test implements it. Thread: one. Lifetime: outlives the core.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/settings/settings_core.hpp"
#include "agent/update/download_choice.hpp"
#include "agent/update/python_environment.hpp"
#include "agent/update/release.hpp"
#include "base/clock.hpp"

namespace starling::agent {

// How the device works with the release that is on trial, next to how it did before.
struct ReleaseVerdict {
  bool over = true;       // else it cannot be told yet
  std::string waits_for;  // why not
  std::string failure;    // why it does not work; empty: it does
  bool hopeless = false;  // it failed for good: the rest of the trial would tell nothing else
  int deaths = 0;         // of modules so far, unasked
};

class UpdatePort {
 public:
  virtual ~UpdatePort() = default;
  // Whether it could tell a release of the fleet's from another. Errors: failed_precondition, with what to
  // do.
  virtual Result<void> can_trust() const = 0;
  // Each of these is answered by one event, never from within the call, unless stop() comes first.
  virtual void find(const std::string& version) = 0;  // then found()
  // To where find_download() finds it; then downloaded() or download_waits().
  virtual void download(const ReleaseTarget& target, const DownloadWish& how) = 0;
  // With what it needs, from nothing but that, and durable; then environment_made(). Errors in that:
  // invalid_argument (it cannot be made of that), unavailable and others (it may be later).
  virtual void make_environment(const Digest& release, const EnvironmentWish& wish) = 0;
  virtual void stop() = 0;  // what was asked for is not wanted any more

  // The agent begins anew, with what the generation names; soon, and not from within the call.
  virtual void restart() = 0;

  // In its welcome.
  virtual void hub_said(std::string_view fleet, WallTime time) = 0;

  // Whether somebody here may install Debian packages. Errors: failed_precondition, with what is missing.
  virtual Result<void> can_install_packages() const = 0;
  virtual std::string package_answer() const = 0;  // the last that was given, as it is; empty: none

  virtual bool runs_modules() const = 0;  // or shall
  virtual std::vector<std::string> ready_modules() const = 0;
  virtual ReleaseVerdict trial(const std::vector<std::string>& were_ready) const = 0;
};

// Decides when a release that is unpacked may be switched to.
class InstallTiming {
 public:
  struct Answer {
    std::optional<SteadyTime> ask_again;  // none: now
    std::string waits_for;                // for people
    std::optional<WallTime> switches_at;  // as far as can be said
  };
  virtual ~InstallTiming() = default;
  virtual Answer ready_to_install(const ReleaseTarget& target, SteadyTime now) = 0;
};

class AtOnce final : public InstallTiming {
 public:
  Answer ready_to_install(const ReleaseTarget&, SteadyTime) override { return {}; }
};

}  // namespace starling::agent
