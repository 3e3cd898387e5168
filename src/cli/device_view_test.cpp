#include "cli/device_view.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace starling::cli {
namespace {

using testing::HasSubstr;

JsonObject device_that_reports(std::string_view reported) {
  return {{"device_name", "bear"}, {"reported", parse_json(reported).value()}};
}

TEST(DeviceFacts, TellOfTheBoardAndOfAlertsInWords) {
  const std::string facts =
      device_facts(device_that_reports(
                       R"({"board":{"temperature_c":81.5,"memory_total_kb":926720,"memory_available_kb":51200,
        "disk_total_kb":0,"alerts":["hot","memory-low"]},
        "alerts":[{"kind":"crash_loop","modules":["player"],"text":"module 'player' fails again and again"}]})"),
                   WallTime{}, Terminal{});
  EXPECT_THAT(facts, HasSubstr("81.5 °C, 50 of 905 MB of memory available; hot, memory-low"));
  EXPECT_THAT(facts, HasSubstr("module 'player' fails again and again"));
}

TEST(DeviceFacts, ABoardThatTellsNothingIsNoTrouble) {
  for (const char* reported :
       {R"({"board":{}})", R"({"board":7,"alerts":7})", R"({"board":{"alerts":[{}]},"alerts":[7]})"})
    EXPECT_THAT(device_facts(device_that_reports(reported), WallTime{}, Terminal{}), HasSubstr("bear"));
}

}  // namespace
}  // namespace starling::cli
