// Purpose: the options of `starling release create` that say who takes the new release, and when.
// Owner: the command that has them. Thread: one. Lifetime: the command's.
#pragma once

#include <string>

#include "cli/command.hpp"
#include "cli/target.hpp"

namespace starling::cli {

// --all, --on, --device, --now, --not-before.
class ReleaseTakers {
 public:
  void add_to(CLI::App& app);

  bool any() const { return all_ || !target_.empty(); }
  // Before anything is published. Errors: invalid_argument (when, but not who), those of
  // TargetOptions::target.
  Result<void> check(Session& session) const;
  // Of a release that is published.
  Result<void> take(Session& session, const std::string& version) const;

 private:
  TargetOptions target_;
  std::string not_before_;
  bool all_ = false, now_ = false;
};

}  // namespace starling::cli
