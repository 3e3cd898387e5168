// Purpose: which Python environment a release needs, and where it lies: releases/SHA256/venv, made of the
// wheels that the release has brought along. What is done on the disk alone; who makes it is the UpdatePort.
// Owner: none. Thread: one; blocking. Lifetime: none.
//
// It is made while the release has not got its name yet (SHA256.new), so that half of one never counts, and
// takes the name along; or as SHA256/venv.new, where Debian packages come first, which come later. Its
// programs name their interpreter by its whole path: those lines are written anew.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/disk.hpp"

namespace starling::agent {

inline constexpr std::string_view environment_name = "venv";

// Paths below the state folder.
struct EnvironmentWish {
  std::string folder;  // that it becomes; not there yet
  std::string requirements, wheels;
  bool operator==(const EnvironmentWish&) const = default;
};

// Of the unpacked release in `folder`; none: it has no requirements.txt, or no wheels for it. Errors:
// invalid_argument and too_large (they ask for what is not packed), those of Disk.
Result<std::optional<EnvironmentWish>> environment_wanted(Disk& disk, const std::string& folder);

// Tells the programs of the environment `from` that it is about to be called `to`. Errors: those of Disk.
Result<void> move_environment(Disk& disk, const std::string& from, const std::string& to);

}  // namespace starling::agent
