// Purpose: carries out what is asked of it with the device's Debian packages, from wherever a former attempt
// was ended: what is there is asked of dpkg, never remembered. Owner: main() or a test. Thread: one; blocks
// for as long as apt and dpkg take. Lifetime: `debian` and `clock` outlive it.
//
// Its folder, which only root writes:
//
//   plan.json          what the release changes, pinned (Plan); one that was begun goes on in the next
//   kept.json          the last that has changed something and stays: for a while the way back to what its
//                      release took the place of
//   files/SHA256.deb   all that these name
//   begun.json         how often this has been begun for that release without an answer, however often it was
//                      asked for: what ends the device each time is not tried for ever
//   answer.json        the last answer, for the agent
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "install/debian.hpp"
#include "install/package_files.hpp"
#include "install/plan.hpp"
#include "protocol/package_request.hpp"

namespace starling::install {

class Installer {
 public:
  static constexpr int tries = 3;  // of what was asked; then as many of the way back; then it stays as it is
  static constexpr Milliseconds way_back_lasts = std::chrono::days(30);  // once it is kept
  static constexpr int fetch_tries = 20;  // it runs no package's scripts: it is people who switch off

  Installer(std::filesystem::path folder, Debian& debian, const Clock& clock, Logger log);

  // Answered in answer.json when this returns. Errors: those of files, without an answer.
  Result<void> carry_out(std::string_view request_text);

 private:
  using Answer = protocol::PackageAnswer;

  Result<Answer> answer_to(const protocol::PackageRequest& request);
  Result<Answer> fetch(const protocol::PackageRequest& request);
  Result<Answer> change(const protocol::PackageRequest& request, int starts);
  Result<Answer> stay(const protocol::PackageRequest& request);

  Result<Plan> make_plan(const protocol::PackageRequest& request,
                         const std::vector<InstalledPackage>& installed);
  Plan begin_plan(const Digest& release, const std::vector<std::string>& lacking,
                  const std::vector<InstalledPackage>& installed) const;
  Result<std::vector<Pin>> find_files(Plan& plan, const std::vector<std::string>& lacking,
                                      const std::vector<InstalledPackage>& installed);
  std::vector<Pin> find_ways_back(Plan& plan);
  Digest kept_file(const InstalledPackage& package) const;
  Result<void> keep(const Pin& pin);
  Result<void> check_room(const std::vector<Pin>& coming, const std::vector<Pin>& ways_back) const;
  Result<Plan> read_plan(const char* name = "plan.json") const;
  Result<void> write_plan(const Plan& plan, const char* name = "plan.json") const;
  Result<void> drop_other_files() const;
  Result<int> count_start(const protocol::PackageRequest& request) const;
  Result<void> forget_starts() const;
  Result<void> repair(bool interrupted_here);
  Result<Standing> look(const Plan& plan);
  Result<bool> all_whole(const Plan& plan);
  Result<void> check_files(const Plan& plan) const;
  Result<void> bring(const Plan& plan, Standing towards);

  std::filesystem::path folder_;
  Debian& debian_;
  const Clock& clock_;
  PackageFiles files_;
  Logger log_;
};

}  // namespace starling::install
