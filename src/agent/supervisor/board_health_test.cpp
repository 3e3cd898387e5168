#include "agent/supervisor/board_health.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

struct Health : testing::Test {
  Health() : root(fs::temp_directory_path() / ("starling-health-" + std::to_string(::getpid()))) {
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~Health() override { fs::remove_all(root); }
  void put(const std::string& path, std::string_view text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  BoardHealth read() const { return read_board_health(root, root); }

  fs::path root;
};

TEST_F(Health, OfARaspberryPiIsReadWhole) {
  put("sys/class/thermal/thermal_zone0/temp", "48312\n");
  put("sys/class/thermal/thermal_zone1/temp", "51000\n");
  put("sys/class/thermal/thermal_zone2/temp", "-274000\n");
  put("sys/class/thermal/cooling_device0/temp", "99000\n");
  put("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
  put("proc/meminfo",
      "MemTotal:  430000 kB\nMemFree: 1 kB\nMemAvailable:   21500 kB\nSwapTotal: 100 kB\nSwapFree: 7 kB\n");
  put("proc/pressure/memory", "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00\n");
  const BoardHealth health = read();
  EXPECT_EQ(health.temperature_c, 51.0);
  ASSERT_TRUE(health.throttling);
  EXPECT_TRUE(health.throttling->under_voltage && health.throttling->throttled);
  EXPECT_TRUE(health.throttling->was_under_voltage && health.throttling->was_throttled);
  EXPECT_FALSE(health.throttling->frequency_capped || health.throttling->was_soft_limit);
  EXPECT_EQ(health.memory_total_kb, 430'000u);
  EXPECT_EQ(health.memory_available_kb, 21'500u);
  EXPECT_EQ(health.swap_free_kb, 7u);
  EXPECT_EQ(health.memory_stall_percent, 12.5);
  EXPECT_GT(health.disk_total_kb, health.disk_free_kb);
  const JsonObject json = to_json(health);
  EXPECT_EQ(json.at("temperature_c").as_double(), 51.0);
  EXPECT_TRUE(json.at("under_voltage").as_bool());
}

TEST_F(Health, ThatSaysNothingHasNothingToReport) {
  put("sys/class/thermal/thermal_zone0/temp", "hot\n");
  put("proc/pressure/memory", "");
  const BoardHealth health = read();
  EXPECT_FALSE(health.temperature_c || health.throttling || health.memory_stall_percent);
  EXPECT_EQ(health.memory_total_kb, 0u);
  BoardWatch watch;
  EXPECT_TRUE(watch.update(health).empty());
  EXPECT_FALSE(to_json(health).contains("under_voltage"));
}

TEST_F(Health, VoltageIsKnownWithoutTheFirmwaresFile) {
  put("sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
  put("sys/class/hwmon/hwmon1/name", "rpi_volt\n");
  put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
  EXPECT_TRUE(read().throttling.value().under_voltage);
}

TEST_F(Health, ThisMachineCanBeRead) {
  const BoardHealth health = read_board_health(root);
  EXPECT_GT(health.memory_total_kb, health.memory_available_kb);
  EXPECT_GT(health.memory_available_kb, 0u);
}

std::vector<std::string> changes(BoardWatch& watch, const BoardHealth& health) {
  std::vector<std::string> names;
  for (const BoardAlertChange& change : watch.update(health)) {
    EXPECT_FALSE(change.text.empty());
    names.push_back((change.raised ? "+" : "-") + std::string(to_string(change.alert)));
  }
  return names;
}

TEST(BoardWatch, RaisesAndEndsAlertsWithHysteresis) {
  BoardWatch watch;
  BoardHealth health;
  health.memory_total_kb = health.disk_total_kb = 100'000;
  health.memory_available_kb = health.disk_free_kb = 50'000;
  const struct {
    double temperature;
    std::uint64_t memory_kb, disk_kb;
    double stall;
    std::uint32_t throttled;
    std::vector<std::string> changes;
  } steps[] = {
      {60, 50'000, 50'000, 0, 0, {}},
      {80, 50'000, 50'000, 0, 0, {"+hot"}},
      {77, 50'000, 50'000, 0, 0, {}},
      {75, 50'000, 50'000, 0, 0, {"-hot"}},
      {77, 50'000, 50'000, 0, 0, {}},
      {60, 6'000, 50'000, 0, 0, {"+memory-low"}},
      {60, 9'000, 50'000, 0, 0, {}},
      {60, 20'000, 50'000, 20, 0, {}},
      {60, 20'000, 50'000, 5, 0, {"-memory-low"}},
      {60, 20'000, 50'000, 30, 0, {"+memory-low"}},
      {60, 20'000, 5'000, 0, 0, {"-memory-low", "+disk-low"}},
      {60, 20'000, 7'000, 0, 0x1, {"+under-voltage"}},
      {60, 20'000, 8'000, 0, 0x50000, {"-under-voltage", "-disk-low"}},
      {60, 20'000, 8'000, 0, 0x2, {"+throttled"}},
  };
  for (const auto& step : steps) {
    health.temperature_c = step.temperature;
    health.memory_available_kb = step.memory_kb;
    health.disk_free_kb = step.disk_kb;
    health.memory_stall_percent = step.stall;
    health.throttling = parse_throttling(step.throttled);
    EXPECT_EQ(changes(watch, health), step.changes) << step.temperature << " " << step.memory_kb;
  }
  EXPECT_TRUE(watch.raised(BoardAlert::throttled));
  EXPECT_FALSE(watch.memory_is_short());
}

}  // namespace
}  // namespace starling::agent
