// Purpose: Debian's package system as this needs it: apt decides what belongs together, fetches and checks it
// by the signed lists of the system's own archives; dpkg says what is there, and puts right what was
// interrupted. Owner: main() or a test. Thread: one; all of it blocks, for minutes. Lifetime: none of its
// own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "install/child.hpp"

namespace starling::install {

// A package file, as the archive's signed list names it.
struct Pin {
  std::string name, version, architecture;
  Digest hash;
  std::uint64_t bytes = 0;
  bool operator==(const Pin&) const = default;
};

struct InstalledPackage {
  std::string name, version, architecture;
  bool whole = false;  // else it was interrupted
};

// What apt says with --print-uris: 'URI' NAME_VERSION_ARCHITECTURE.deb BYTES SHA256:HASH. Errors: malformed.
Result<std::vector<Pin>> parse_uris(std::string_view text);
// Lines of PACKAGE, VERSION, ARCHITECTURE and STATUS with a tab between. Errors: malformed.
Result<std::vector<InstalledPackage>> parse_installed(std::string_view text);

// Errors of all: failed_precondition, with what the tool said; unavailable (somebody else is at work, and was
// waited for); timed_out; malformed (nobody would understand what it said); not_found (it is not there), io.
class Debian {
 public:
  // `scratch`: a folder for what comes; `patience`: how long somebody else's work is waited for.
  Debian(std::filesystem::path scratch, Logger log, Seconds patience = Seconds(600))
      : scratch_(std::move(scratch)), log_(log), patience_(patience) {}

  // The system's own.
  Result<std::string> architecture();
  // Everything that has to be installed or changed so that these are there. invalid_argument: by the lists
  // that are here it cannot be.
  Result<std::vector<Pin>> plan(const std::vector<std::string>& packages);
  // One version of a package. failed_precondition: no archive has it.
  Result<Pin> find(const InstalledPackage& package);
  Result<void> renew_lists();
  // Gives its path in `scratch`. Whether it has its hash is the caller's to check.
  Result<std::filesystem::path> download(const Pin& pin);

  Result<std::vector<InstalledPackage>> installed();
  // Only these files, older ones too; nothing else is fetched or removed.
  Result<void> install(const std::vector<std::filesystem::path>& files);
  // The same by dpkg alone. apt gives up where a package was interrupted while it was unpacked.
  Result<void> install_over(const std::vector<std::filesystem::path>& files);
  Result<void> remove(const std::vector<std::string>& names);
  // Configures what was interrupted before it was.
  Result<void> repair();

  void drop_scratch();

 private:
  Result<std::string> run(const Command& command);
  Result<void> dpkg(const std::vector<std::string>& arguments);
  std::vector<std::string> apt_get(std::vector<std::string> arguments) const;
  Result<void> clear_scratch();

  std::filesystem::path scratch_;
  Logger log_;
  Seconds patience_;
};

}  // namespace starling::install
