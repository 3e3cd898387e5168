#include "agent/supervisor/unmet_limits.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace starling::agent {
namespace {

using testing::StartsWith;

TEST(UnmetLimits, AreSaidWithWhatIsMissing) {
  ModuleLimits none, memory, cpu, both;
  memory.memory_bytes = both.memory_bytes = 1 << 20;
  cpu.cpu_percent = both.cpu_percent = 50;
  none.files = 64;
  const Controllers all{true, true, true}, without_memory{true, false, true}, without_any{};
  for (const ModuleLimits& limits : {none, memory, cpu, both})
    EXPECT_EQ(unmet_limits(limits, all), "");
  for (const Controllers& there : {without_memory, without_any})
    EXPECT_EQ(unmet_limits(none, there), "");
  EXPECT_EQ(unmet_limits(cpu, without_memory), "");
  EXPECT_THAT(unmet_limits(memory, without_memory),
              StartsWith("limits.memory is not in force on this device: the kernel's controller is off"));
  EXPECT_THAT(unmet_limits(both, without_memory), StartsWith("limits.memory is not in force"));
  EXPECT_THAT(unmet_limits(both, without_any),
              StartsWith("limits.memory and limits.cpu are not in force on this device: the agent has no "
                         "control group"));
  EXPECT_THAT(unmet_limits(cpu, {true, true, false}), StartsWith("limits.cpu is not in force"));
}

}  // namespace
}  // namespace starling::agent
