// What the board says of itself, up to the modules that wait for it and the report.
#include <gmock/gmock.h>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class SupervisorBoard : public SupervisorFixture {
 protected:
  SupervisorBoard() {
    root = folder / "root";
    std::filesystem::create_directories(root / "proc");
  }
  void memory_available(int percent) const {
    std::ofstream(root / "proc/meminfo")
        << "MemTotal: 1000000 kB\nMemAvailable: " << percent * 10'000 << " kB\n";
  }
  std::string waits_for(const std::string& module) const {
    for (const ModuleStatus& status : supervisor->statuses())
      if (status.name == module) return status.waits_for;
    return "there is none";
  }
  JsonArray board_alerts() const {
    JsonObject report;
    supervisor->add_to(report);
    return report.at("board").at("alerts").as_array();
  }
};

TEST_F(SupervisorBoard, ShortMemoryHoldsStartsUntilItIsBack) {
  write_module("recorder", "exec = 'run'\n", "enabled = true\n");
  memory_available(3);
  start_without_list();
  supervisor->tick();
  list({});
  EXPECT_THAT(waits_for("recorder"), HasSubstr("short of memory"));
  EXPECT_FALSE(supervisor->descriptions().at("recorder").as_object().contains("held_up"))
      << "it needs nobody";
  EXPECT_EQ(board_alerts(), JsonArray{"memory-low"});
  memory_available(50);
  clock.advance(Supervisor::board_round);
  supervisor->tick();
  EXPECT_THAT(waits_for("recorder"), IsEmpty());
  EXPECT_THAT(board_alerts(), IsEmpty());
}

}  // namespace
}  // namespace starling::agent
