// Purpose: counts the agent's starts and bad ends since it was last healthy, also across reboots: the boot
// guard. Owner: Keeper. Thread: main. Lifetime: the keeper's; the counts live in STATE/keeper.state.
//
// What they mean is for the agent to decide. A start whose end was never written down was cut short, most
// likely by the power.
#pragma once

#include <cstdint>
#include <string>

#include "keeper/log.hpp"

namespace starling::keeper {

struct StartCounts {
  std::uint32_t starts = 0;
  std::uint32_t crashes = 0;
  std::uint32_t unrecorded = 0;
  bool running = false;
  bool operator==(const StartCounts&) const = default;
};

// The text of keeper.state. What is damaged counts as 0.
std::string to_text(const StartCounts& counts);
StartCounts parse_start_counts(std::string_view text);

class StartCounter {
 public:
  // A file that cannot be read or written is told to the log; counting goes on in memory.
  StartCounter(std::string file, const Log& log);

  void starting();
  void ended(bool crashed);
  void healthy();
  const StartCounts& counts() const { return counts_; }

 private:
  void save() const;

  std::string file_;
  const Log& log_;
  StartCounts counts_;
};

}  // namespace starling::keeper
