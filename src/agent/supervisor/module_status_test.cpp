#include "agent/supervisor/module_status.hpp"

#include <gtest/gtest.h>

namespace starling::agent {
namespace {

using enum ModuleState;

TEST(ModuleStatusText, SaysWhyAModuleCannotBeAsked) {
  constexpr const char* starts_it = ": 'module start recorder' starts it";
  constexpr const char* mended = ": once that is mended 'module start recorder' starts it";
  const auto said = [](ModuleState state, const auto& change) {
    ModuleStatus status;
    status.name = "recorder";
    status.state = state;
    change(status);
    return why_not_connected(status);
  };
  const auto as_it_is = [](ModuleStatus&) {};
  EXPECT_EQ(said(disabled, as_it_is), std::string("is not running (disabled)") + starts_it);
  EXPECT_EQ(said(disabled, [](ModuleStatus& status) { status.enabled = true; }),
            std::string("is not running (stopped)") + starts_it);
  EXPECT_EQ(said(disabled, [](ModuleStatus& status) { status.enabled = status.finished = true; }),
            std::string("is not running (its work is done)") + starts_it);
  EXPECT_EQ(said(disabled, [](ModuleStatus& status) { status.quarantine = "exit status 1"; }),
            std::string("is not running (it could not be enabled: exit status 1)") + mended);
  EXPECT_EQ(said(disabled, [](ModuleStatus& status) { status.manifest_problem = "exec is missing"; }),
            std::string("is not running (exec is missing)") + mended);
  EXPECT_EQ(said(disabled, [](ModuleStatus& status) { status.waits_for = "waits for 'bus'"; }),
            "is not running (it waits for 'bus')");
  EXPECT_EQ(said(stopping, as_it_is), std::string("is not running (stopping)") + starts_it);
  EXPECT_EQ(said(error, [](ModuleStatus& status) { status.detail = "no such file"; }),
            std::string("is not running (error: no such file)") + mended);
  const auto retried = [](ModuleStatus& status) {
    status.detail = "exit status 1";
    status.next_retry = SteadyTime{};
  };
  EXPECT_EQ(said(crashed, retried), "is not running (crashed: exit status 1), and is tried again by itself");
  EXPECT_EQ(said(starting, as_it_is), "is starting: ask it when it is ready");
  EXPECT_EQ(said(idle, as_it_is),
            "runs, but is not connected to the module socket: it takes no actions until it says hello there");
}

}  // namespace
}  // namespace starling::agent
