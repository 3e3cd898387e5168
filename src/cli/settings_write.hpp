// Purpose: a write of settings, for `settings set` and for the commands that are another word for it.
// Owner: the command that has it. Thread: one. Lifetime: the command's.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "cli/target.hpp"
#include "cli/write_outcome.hpp"

namespace starling::cli {

class SettingsWrite {
 public:
  // --on and the other targets, --policy, --reason, --wait.
  void add_to(CLI::App& app);

  Result<Json> target(ApiClient& api, TargetOptions::For what = TargetOptions::For::something) const {
    return target_.target(api, what);
  }

  // `what` is done there, for people: "set audio.volume = 20". Members of `expected` must still be in force.
  Result<ExitCode> send(Session& session, const Json& target, JsonObject values, JsonObject expected,
                        std::string_view what, const Meanwhile& meanwhile = {}) const;
  const WaitOptions& wait() const { return wait_; }

 private:
  TargetOptions target_;
  WaitOptions wait_;
  std::string reason_;
};

}  // namespace starling::cli
