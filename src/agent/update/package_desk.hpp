// Purpose: asks `starling-install`, which has the rights, for what a release needs of Debian's packages, and
// hears its answer (docs/decisions/0018-debian-packages.md). One thing at a time: a request takes the place
// of the former. Owner: UpdateCore. Thread: one. Lifetime: an agent's; what is passed in outlives it.
#pragma once

#include <optional>
#include <string>

#include "agent/disk.hpp"
#include "agent/update/update_port.hpp"
#include "protocol/package_request.hpp"

namespace starling::agent {

class PackageDesk {
 public:
  static constexpr std::string_view folder = "install";
  static constexpr std::string_view path = "install/request.json";
  static constexpr Milliseconds pause{2'000};
  static constexpr Milliseconds patience{3'600'000};  // a slow link brings many packages

  PackageDesk(Disk& disk, const Clock& clock, const UpdatePort& port)
      : disk_(disk), clock_(clock), port_(port) {}

  // Errors: those of Disk; nothing is asked then.
  Result<void> ask(protocol::PackageRequest request);
  // What is waited for.
  const std::optional<protocol::PackageRequest>& asked() const { return asked_; }
  // Once, when it is there, or is not waited for any more: then it names no request.
  std::optional<protocol::PackageAnswer> answer();
  const std::optional<SteadyTime>& look_again() const { return look_again_; }

 private:
  Result<void> put() const;

  Disk& disk_;
  const Clock& clock_;
  const UpdatePort& port_;
  std::optional<protocol::PackageRequest> asked_;
  std::optional<SteadyTime> look_again_;
  SteadyTime since_{};
};

}  // namespace starling::agent
