// Purpose: the exit statuses of a daemon that cannot start as it was told to: another start would not mend
// that, so the keeper ends with them, and the systemd units leave it at that. Owner: none. Thread: any.
// Lifetime: none.
#pragma once

#include "base/result.hpp"

namespace starling {

inline constexpr int exit_failure = 1;         // another start may succeed
inline constexpr int exit_usage = 2;           // a wrong command line
inline constexpr int exit_configuration = 78;  // EX_CONFIG: what it was given to work with is wrong

// What is written wrongly stays so. What disk, network and other processes refuse may be there the next time.
inline int exit_status_of(const Error& error) {
  return error.code == ErrorCode::invalid_argument ? exit_configuration : exit_failure;
}

// Of a file that people write and the daemon only reads: it is wrong until they mend it, unless the medium
// is.
inline Error wrongly_given(Error error) {
  const bool medium = error.code == ErrorCode::io || error.code == ErrorCode::corrupted;
  if (!medium) error.code = ErrorCode::invalid_argument;
  return error;
}

}  // namespace starling
