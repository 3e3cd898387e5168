// Purpose: makes a release folder of what was downloaded, or finds that there is one already; either way
// every file in it has been read back and has its hash when this is done. Works in small pieces, and can be
// begun again whatever became of a former attempt. Owner: UpdateCore. Thread: one; each step blocks for a
// little. Lifetime: one attempt; `disk` outlives it.
#pragma once

#include <memory>
#include <optional>

#include "agent/disk.hpp"
#include "agent/update/python_environment.hpp"
#include "agent/update/release.hpp"
#include "agent/update/release_check.hpp"
#include "agent/update/release_unpacker.hpp"
#include "agent/update/tar_source.hpp"

namespace starling::agent {

class ReleaseInstall {
 public:
  // `equips`: it makes the Python environment; else somebody has it made later, by another of these.
  ReleaseInstall(Disk& disk, ReleaseTarget target, bool equips = true)
      : disk_(disk), target_(std::move(target)), equips_(equips) {}

  // Errors: not_found (nothing is there, or it was damaged and is removed: it has to be downloaded),
  // invalid_argument and too_large (the signed tar is no release for this device), those of Disk. Where it
  // fails, what it has written is removed; a damaged folder stays until another can take its place.
  Result<Progress> step();
  // What it waits for: whoever makes it says so then, or gives up. Until then a step does nothing.
  std::optional<EnvironmentWish> environment_to_make() const {
    return stage_ == Stage::equip ? environment_ : std::nullopt;
  }
  void environment_made() { stage_ = Stage::settle_in; }
  void give_up() { (void)drop(found_ ? late_environment() : fresh()); }

  // How what was there and damaged had been encoded, once step() has failed with not_found.
  std::optional<protocol::Encoding> damaged() const { return damaged_; }

 private:
  enum class Stage { look, unpack, sync, equip, settle_in, name, check };

  Result<Progress> take_step();
  Result<void> look();
  Result<void> unpack();
  Result<void> equip();
  Result<Progress> settle_in();
  Result<void> begin_unpacking();
  Result<void> name();
  void begin_check();
  Result<Progress> mend(const std::string& damage);
  Result<void> drop(const std::string& path);

  std::string folder() const { return release_path(target_.release.hash); }
  std::string fresh() const { return release_path(target_.release.hash, ".new"); }
  std::string environment() const { return folder() + "/" + std::string(environment_name); }
  std::string late_environment() const { return environment() + ".new"; }
  std::string old() const { return release_path(target_.release.hash, ".old"); }

  Disk& disk_;
  ReleaseTarget target_;
  bool equips_;
  Stage stage_ = Stage::look;
  Download download_;
  std::unique_ptr<TarSource> source_;
  std::optional<protocol::Encoding> damaged_;
  std::optional<ReleaseUnpacker> unpacker_;
  std::optional<EnvironmentWish> environment_;
  bool found_ = false;  // it was unpacked before
  std::optional<ReleaseCheck> check_;
};

}  // namespace starling::agent
