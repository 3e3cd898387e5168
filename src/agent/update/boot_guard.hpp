// Purpose: what the installed agent does before anything else: it decides which release's agent runs, and
// goes back from one on trial that never gets far enough to do so itself. Owner: main(). Thread: one;
// blocking. Lifetime: none. Whoever calls it holds the lock of the state folder.
#pragma once

#include <optional>
#include <string_view>

#include "agent/disk.hpp"
#include "agent/update/update_record.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

namespace starling::agent {

// The release that the generation names; none: what was installed with the system. Where it cannot be told,
// none: the installed agent finds out what is wrong. A start of one that is on trial is counted first; where
// that is impossible, it goes back. Errors: those of Disk.
Result<std::optional<Release>> choose_release(Disk& disk, const Clock& clock, const StartCounts& counts,
                                              Logger log);

// The agent of the release that is on trial cannot even be executed. Errors: those of Disk.
Result<void> give_up_release(Disk& disk, const Clock& clock, std::string why, Logger log);

// Of the text of the keeper's keeper.state; what is not there counts as 0.
StartCounts parse_start_counts(std::string_view text);

}  // namespace starling::agent
