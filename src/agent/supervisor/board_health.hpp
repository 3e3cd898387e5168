// Purpose: how the board itself fares: heat, power, memory, disk, and when somebody should be told. Only what
// the machine says is there: an ordinary computer has no throttling to report.
// Owner: Agent. Thread: one; reading blocks, but for files of the kernel only. Lifetime: values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace starling::agent {

struct BoardHealth {
  // Of the firmware of a Raspberry Pi; "was": at any time since it was switched on.
  struct Throttling {
    bool under_voltage = false, frequency_capped = false, throttled = false, soft_limit = false;
    bool was_under_voltage = false, was_frequency_capped = false, was_throttled = false,
         was_soft_limit = false;
  };

  std::optional<double> temperature_c;  // of the hottest zone
  std::optional<Throttling> throttling;
  std::uint64_t memory_total_kb = 0, memory_available_kb = 0;  // zeros: not told
  std::uint64_t swap_total_kb = 0, swap_free_kb = 0;
  std::optional<double> memory_stall_percent;  // some, 10 s; not on stock Raspberry Pi OS
  std::uint64_t disk_total_kb = 0, disk_free_kb = 0;
};

// `root` is "/" but in tests. The disk is that of `state_folder`.
BoardHealth read_board_health(const std::filesystem::path& state_folder,
                              const std::filesystem::path& root = "/");

JsonObject to_json(const BoardHealth& health);

// The word that the firmware gives: bits 0 to 3 now, 16 to 19 since it was switched on.
BoardHealth::Throttling parse_throttling(std::uint32_t bits);

struct BoardThresholds {
  double hot_c = 80, cooled_c = 75;  // a Pi slows down at 80 to 85
  double memory_low_percent = 6, memory_fine_percent = 10;
  double stall_high_percent = 30, stall_fine_percent = 10;
  double disk_low_percent = 5, disk_fine_percent = 8;
};

enum class BoardAlert { hot, throttled, under_voltage, memory_low, disk_low };
std::string_view to_string(BoardAlert alert);  // "under-voltage"

struct BoardAlertChange {
  BoardAlert alert;
  bool raised;       // false: it is over
  std::string text;  // for people
};

// Each alert has two thresholds, so that a value between them does not make it come and go.
class BoardWatch {
 public:
  explicit BoardWatch(BoardThresholds thresholds = {}) : thresholds_(thresholds) {}

  // What has changed by this.
  std::vector<BoardAlertChange> update(const BoardHealth& health);
  bool raised(BoardAlert alert) const { return raised_[static_cast<std::size_t>(alert)]; }
  // Starts that can wait should.
  bool memory_is_short() const { return raised(BoardAlert::memory_low); }

 private:
  static constexpr std::size_t alerts = 5;
  BoardThresholds thresholds_;
  bool raised_[alerts] = {};
};

}  // namespace starling::agent
