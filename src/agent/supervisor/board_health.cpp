#include "agent/supervisor/board_health.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <charconv>

#include "base/files.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_fact_bytes = 16 * 1024;

std::string fact(const fs::path& path) {
  return read_file(path, max_fact_bytes).value_or("");
}

template <typename Number>
std::optional<Number> number_of(std::string_view text, int base = 10) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{}) return {};
  return number;
}

// "MemAvailable:    123 kB"
std::uint64_t named_kb(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + name.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return number_of<std::uint64_t>(text).value_or(0);
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  constexpr std::size_t most = 64;
  std::vector<fs::path> found;
  std::error_code error;
  for (auto entry = fs::directory_iterator(folder, error);
       !error && entry != fs::directory_iterator() && found.size() < most; entry.increment(error))
    found.push_back(entry->path());
  return found;
}

std::optional<double> hottest_zone(const fs::path& root) {
  std::optional<double> hottest;
  for (const fs::path& zone : folders_in(root / "sys/class/thermal")) {
    if (!zone.filename().string().starts_with("thermal_zone")) continue;
    const auto thousandths = number_of<std::int32_t>(fact(zone / "temp"));
    // Sensors that are not connected tell nonsense.
    if (!thousandths || *thousandths < -60'000 || *thousandths > 200'000) continue;
    hottest = std::max(hottest.value_or(-1000.0), *thousandths / 1000.0);
  }
  return hottest;
}

std::optional<BoardHealth::Throttling> throttling(const fs::path& root) {
  std::string word = fact(root / "sys/devices/platform/soc/soc:firmware/get_throttled");
  if (word.starts_with("0x")) word.erase(0, 2);
  if (const auto bits = number_of<std::uint32_t>(word, 16)) return parse_throttling(*bits);
  // Kernels without that file tell at least the voltage.
  for (const fs::path& monitor : folders_in(root / "sys/class/hwmon")) {
    if (!fact(monitor / "name").starts_with("rpi_volt")) continue;
    const auto alarm = number_of<std::int32_t>(fact(monitor / "in0_lcrit_alarm"));
    if (!alarm) continue;
    BoardHealth::Throttling state;
    state.under_voltage = state.was_under_voltage = *alarm != 0;
    return state;
  }
  return {};
}

std::optional<double> parse_double(std::string_view text) {
  double number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{}) return {};
  return number;
}

// "some avg10=1.23 avg60=..."
std::optional<double> stall_percent(std::string_view pressure) {
  constexpr std::string_view name = "some avg10=";
  const auto at = pressure.find(name);
  if (at == std::string_view::npos) return {};
  return parse_double(pressure.substr(at + name.size()));
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 100.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

BoardHealth::Throttling parse_throttling(std::uint32_t bits) {
  const auto bit = [&](int number) { return (bits >> number & 1u) != 0; };
  return {bit(0), bit(1), bit(2), bit(3), bit(16), bit(17), bit(18), bit(19)};
}

BoardHealth read_board_health(const fs::path& state_folder, const fs::path& root) {
  BoardHealth health;
  health.temperature_c = hottest_zone(root);
  health.throttling = throttling(root);
  const std::string memory = fact(root / "proc/meminfo");
  health.memory_total_kb = named_kb(memory, "MemTotal:");
  health.memory_available_kb = named_kb(memory, "MemAvailable:");
  health.swap_total_kb = named_kb(memory, "SwapTotal:");
  health.swap_free_kb = named_kb(memory, "SwapFree:");
  health.memory_stall_percent = stall_percent(fact(root / "proc/pressure/memory"));
  struct statvfs disk {};
  if (::statvfs(state_folder.c_str(), &disk) == 0) {
    const std::uint64_t block = disk.f_frsize;
    health.disk_total_kb = std::uint64_t{disk.f_blocks} * block / 1024;
    health.disk_free_kb = std::uint64_t{disk.f_bavail} * block / 1024;
  }
  return health;
}

JsonObject to_json(const BoardHealth& health) {
  JsonObject json;
  if (health.temperature_c) json["temperature_c"] = *health.temperature_c;
  if (const auto& state = health.throttling) {
    json["under_voltage"] = state->under_voltage;
    json["throttled"] = state->throttled || state->frequency_capped || state->soft_limit;
    json["was_under_voltage"] = state->was_under_voltage;
    json["was_throttled"] = state->was_throttled || state->was_frequency_capped || state->was_soft_limit;
  }
  json["memory_total_kb"] = static_cast<std::int64_t>(health.memory_total_kb);
  json["memory_available_kb"] = static_cast<std::int64_t>(health.memory_available_kb);
  json["swap_total_kb"] = static_cast<std::int64_t>(health.swap_total_kb);
  json["swap_free_kb"] = static_cast<std::int64_t>(health.swap_free_kb);
  if (health.memory_stall_percent) json["memory_stall_percent"] = *health.memory_stall_percent;
  json["disk_total_kb"] = static_cast<std::int64_t>(health.disk_total_kb);
  json["disk_free_kb"] = static_cast<std::int64_t>(health.disk_free_kb);
  return json;
}

std::string_view to_string(BoardAlert alert) {
  switch (alert) {
    case BoardAlert::hot: return "hot";
    case BoardAlert::throttled: return "throttled";
    case BoardAlert::under_voltage: return "under-voltage";
    case BoardAlert::memory_low: return "memory-low";
    case BoardAlert::disk_low: break;
  }
  return "disk-low";
}

std::vector<BoardAlertChange> BoardWatch::update(const BoardHealth& health) {
  const BoardThresholds& t = thresholds_;
  const double temperature = health.temperature_c.value_or(0);
  const auto state = health.throttling.value_or(BoardHealth::Throttling{});
  const double memory = percent(health.memory_available_kb, health.memory_total_kb);
  const double stall = health.memory_stall_percent.value_or(0);
  const double disk = percent(health.disk_free_kb, health.disk_total_kb);
  const bool slowed = state.throttled || state.frequency_capped || state.soft_limit;
  const struct {
    BoardAlert alert;
    bool bad, fine;
    std::string text;
  } rules[] = {
      {BoardAlert::hot, temperature >= t.hot_c, temperature <= t.cooled_c,
       fmt::format("the board is at {:.0f} °C", temperature)},
      {BoardAlert::throttled, slowed, !slowed,
       slowed ? "the board slows down" : "the board runs at full speed"},
      {BoardAlert::under_voltage, state.under_voltage, !state.under_voltage,
       state.under_voltage ? "the supply's voltage is too low: use another supply or cable"
                           : "the supply's voltage is fine"},
      {BoardAlert::memory_low, memory <= t.memory_low_percent || stall >= t.stall_high_percent,
       memory >= t.memory_fine_percent && stall <= t.stall_fine_percent,
       fmt::format("{} of {} MB of memory are available", health.memory_available_kb / 1024,
                   health.memory_total_kb / 1024)},
      {BoardAlert::disk_low, disk <= t.disk_low_percent, disk >= t.disk_fine_percent,
       fmt::format("{} of {} MB of the disk are free", health.disk_free_kb / 1024,
                   health.disk_total_kb / 1024)},
  };
  std::vector<BoardAlertChange> changes;
  for (const auto& rule : rules) {
    bool& raised = raised_[static_cast<std::size_t>(rule.alert)];
    if (raised ? !rule.fine : !rule.bad) continue;
    raised = !raised;
    changes.push_back({rule.alert, raised, rule.text});
  }
  return changes;
}

}  // namespace starling::agent
