// A factory reset that is interrupted between its mark and the end of the modules: by then the agent is gone,
// and what it ran lives on under the keeper.
#include <gtest/gtest.h>

#include <csignal>

#include "e2e/supervised_device.hpp"

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;

TEST(InterruptedFactoryReset, EndsWhatStillRunsBeforeItErasesWhatThatWrites) {
  SupervisedDevice device;
  device.write_module("recorder", R"(exec = "/bin/sh"
data = ["recordings"]
ready_after = "20ms"
args = ["-c", '''mkdir recordings || exit 1
(while sleep 0.01; do date > recordings/of-its-child; done) &
while sleep 0.01; do date > recordings/its-own; done''']
)",
                      true);
  device.start();
  const pid_t former = device.await_ready("recorder");
  const std::vector<pid_t> all = device.module_processes();
  write_text(device.modules() / "recorder/recordings/1.wav", "of a child");
  write_text(device.state() / "factory_reset", "an action's id");
  ASSERT_EQ(::kill(device.agent(), SIGKILL), 0);
  eventually("the reset to be carried out", [&] {
    return !fs::exists(device.state() / "factory_reset") && device.ctl({"module", "list"}).status == 0;
  });
  for (const pid_t pid : all)
    eventually("the end of " + std::to_string(pid), [pid] { return ::kill(pid, 0) != 0; });
  EXPECT_FALSE(fs::exists(device.modules() / "recorder/recordings/1.wav"));
  EXPECT_NE(device.await_ready("recorder", former), former);
}

}  // namespace
}  // namespace starling::e2e
