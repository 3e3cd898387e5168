#include "agent/supervisor/folders/manifest_mark.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <set>
#include <string>

namespace starling::agent {
namespace {

TEST(ManifestMark, IsAnotherWithEachFieldThatIsAnother) {
  using Change = std::function<void(ModuleManifest&)>;
  const Change changes[] = {
      [](ModuleManifest&) {},
      [](ModuleManifest& m) { m.name = "x"; },
      [](ModuleManifest& m) { m.folder = "x"; },
      [](ModuleManifest& m) { m.exec = "x"; },
      [](ModuleManifest& m) { m.args = {"x"}; },
      [](ModuleManifest& m) {
        m.args = {"x", ""};
      },
      [](ModuleManifest& m) {
        m.environment = {{"A", "x"}};
      },
      [](ModuleManifest& m) { m.working_folder = "x"; },
      [](ModuleManifest& m) { m.readiness = Readiness::notify; },
      [](ModuleManifest& m) { m.ready_after = Milliseconds(2); },
      [](ModuleManifest& m) { m.start_timeout = Milliseconds(2); },
      [](ModuleManifest& m) { m.stop_timeout = Milliseconds(2); },
      [](ModuleManifest& m) { m.stop_signal = SIGINT; },
      [](ModuleManifest& m) { m.watchdog = Milliseconds(2); },
      [](ModuleManifest& m) { m.retry = Retry::never; },
      [](ModuleManifest& m) { m.after = {"x"}; },
      [](ModuleManifest& m) { m.requirements = {"x"}; },
      [](ModuleManifest& m) { m.uses = {"x"}; },
      [](ModuleManifest& m) { m.on_change = OnChange::restart; },
      [](ModuleManifest& m) { m.change_signal = SIGUSR1; },
      [](ModuleManifest& m) {
        m.render = {{"x", "y"}};
      },
      [](ModuleManifest& m) { m.data = {"x"}; },
      [](ModuleManifest& m) { m.prepare_timeout = Milliseconds(2); },
      [](ModuleManifest& m) { m.limits.memory_bytes = 1; },
      [](ModuleManifest& m) { m.limits.cpu_percent = 1; },
      [](ModuleManifest& m) { m.limits.files = 1; },
      [](ModuleManifest& m) { m.limits.nice = 1; },
      [](ModuleManifest& m) { m.limits.core_bytes = 0; },
      [](ModuleManifest& m) {
        m.account = Account{"x", 1, 2, {3}, "/home/x"};
      },
      [](ModuleManifest& m) {
        m.account = Account{"x", 1, 2, {3}, "/srv/x"};
      },
  };
  std::set<std::string> marks;
  for (const Change& change : changes) {
    ModuleManifest manifest;
    change(manifest);
    EXPECT_TRUE(marks.insert(mark_of(manifest)).second) << marks.size();
    EXPECT_EQ(mark_of(manifest), mark_of(ModuleManifest(manifest)));
  }
}

}  // namespace
}  // namespace starling::agent
