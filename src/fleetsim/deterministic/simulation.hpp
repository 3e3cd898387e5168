// Purpose: one seeded run: a hub and a few devices, a time of troubles, a time of peace, and what must hold
// then. Owner: the caller. Thread: one. Lifetime: one run.
//
// What must hold: every device is connected and runs what is desired, or its refusal is visible; no device
// ever ran a document that nobody desired; what was acknowledged is stored, once, as it was acknowledged;
// acknowledged edits on devices were settled.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fleetsim/deterministic/virtual_device.hpp"
#include "fleetsim/deterministic/virtual_hub.hpp"
#include "fleetsim/deterministic/world.hpp"

namespace starling::fleetsim {

// What happens to a device in the time of troubles.
enum class Trouble {
  power_loss,
  power_loss_between_steps,
  link_cut,
  link_half_open,
  unreachable,
  edit_of_threshold,
  edit_of_level,
  override_edited_by_hand,
  session_duplicated,
  identity_remembered,
  identity_restored,  // an old copy of the card: stale start counters and tokens
};
inline constexpr std::size_t troubles = 11;
std::string_view to_string(Trouble trouble);
using TroubleCounts = std::array<std::uint64_t, troubles>;

struct SimulationResult {
  std::vector<std::string> failures;  // empty: all that must hold, holds
  Digest trace;                       // equal for equal seeds
  std::vector<std::string> lines;     // the trace itself, if it was asked for
  std::int64_t changes = 0;
  TroubleCounts trouble{};
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed, bool keep_trace = false);

  SimulationResult run();

 private:
  void set_up();
  void trouble();  // one random event
  void operator_writes();
  void trouble_a_device(VirtualDevice& device, Trouble trouble);
  void start_again_later(VirtualDevice& device);
  void trouble_the_hub();
  void make_peace();
  void check(SimulationResult& result);
  void check_device(VirtualDevice& device, std::vector<std::string>& failures);

  World world_;
  protocol::Catalog catalog_;
  std::unique_ptr<VirtualHub> hub_;
  std::vector<std::unique_ptr<VirtualDevice>> devices_;
  TroubleCounts trouble_{};
};

}  // namespace starling::fleetsim
