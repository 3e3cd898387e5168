// Purpose: which devices see the new values of a rollout while others still see the former ones.
// Owner: values. Thread: any. Lifetime: a gate's: that of its rollout.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "protocol/selector.hpp"

namespace starling::hub {

// Of the devices that a rollout reaches; those of the stages before it are in it as well.
struct Stage {
  static constexpr int whole = 10'000;
  std::optional<int> share{};     // hundredths of a percent; or
  protocol::Selector selector{};  // by labels
  bool needs_approval = false;
};

// A device's place among all that a rollout reaches: 0 to Stage::whole - 1, always the same, and independent
// of its place in other rollouts.
int place_in_rollout(std::string_view rollout, std::string_view device);

// A view of a rollout, which outlives it.
struct Gate {
  std::string_view rollout;
  std::span<const Stage> stages;
  std::size_t open = 0;  // so many of them

  // The first stage that a device is in. The last stage is the whole.
  std::optional<std::size_t> stage_of(std::string_view device, const protocol::Labels& labels) const;
  bool admits(std::string_view device, const protocol::Labels& labels) const;
};

}  // namespace starling::hub
