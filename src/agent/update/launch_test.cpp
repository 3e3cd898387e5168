// Which program goes on as the agent, in processes of their own.
#include "agent/update/launch.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "agent/posix_disk.hpp"
#include "agent/settings/generation_store.hpp"
#include "agent/update/update_record.hpp"
#include "base/exit_status.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr int goes_on = 42, was_chosen = 7;

struct LaunchTest : testing::Test {
  LaunchTest() : state(fs::temp_directory_path() / ("starling-launch-" + std::to_string(::getpid()))) {
    fs::create_directories(state);
    EXPECT_TRUE(store.open());
  }
  ~LaunchTest() override { fs::remove_all(state); }

  void run_on(const std::optional<Release>& release, bool confirmed) {
    Generation generation = defaults_generation();
    generation.release = release;
    const auto number = store.write(generation);
    ASSERT_TRUE(number && store.switch_to(*number) && (!confirmed || store.confirm()));
  }
  fs::path program_of(const Release& release) const {
    return state / release_path(release.hash) / release_agent_path;
  }
  void put_program(const Release& release, const std::string& content, unsigned mode) const {
    const fs::path file = program_of(release);
    fs::create_directories(file.parent_path());
    std::ofstream(file) << content;
    ::chmod(file.c_str(), mode);
  }
  // The exit status of a start.
  int start(bool chosen_already = false) const {
    const pid_t child = ::fork();
    if (child == 0) {
      chosen_already ? ::setenv("STARLING_AGENT_CHOSEN", "1", 1) : ::unsetenv("STARLING_AGENT_CHOSEN");
      char name[] = "starling-agent", option[] = "--state";
      char* argv[] = {name, option, nullptr};
      Log log(clock, STDERR_FILENO, LogFormat::text);
      become_chosen_agent(state, {state / "keeper.sock"}, clock, log, argv);
      ::_exit(goes_on);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::optional<Release> runs() { return store.peek("current").value()->release; }
  std::string failure() {
    const auto record = peek_update_record(disk);
    return record && record->failure ? record->failure->fingerprint : "";
  }

  const Release one{"v1.0.0", sha256("one")}, two{"v2.0.0", sha256("two")};
  const std::string program =
      "#!/bin/sh\n[ \"$1\" = --state ] && [ -n \"$STARLING_INSTALLED_AGENT\" ] && exit 7\n";
  fs::path state;
  SystemClock clock;
  PosixDisk disk{state};
  GenerationStore store{disk, clock, Logger()};
};

TEST_F(LaunchTest, WithoutAReleaseTheInstalledOneGoesOn) {
  EXPECT_EQ(start(), goes_on);
  run_on(std::nullopt, true);
  EXPECT_EQ(start(), goes_on);
  run_on(one, true);  // which brings no agent
  EXPECT_EQ(start(), goes_on);
}

TEST_F(LaunchTest, TheReleasesAgentTakesItsPlace) {
  run_on(one, true);
  put_program(one, program, 0755);
  EXPECT_EQ(start(), was_chosen);
  EXPECT_EQ(start(true), goes_on) << "it has been chosen";
  std::ofstream(state / "factory_reset") << "an-action";
  EXPECT_EQ(start(), goes_on);
}

TEST_F(LaunchTest, OneOnTrialThatCrashesIsLeft) {
  run_on(one, true);
  run_on(two, false);
  put_program(two, program, 0755);
  std::ofstream(state / "keeper.state") << "starts=3\ncrashes=2\nunrecorded=0\nrunning=1\n";
  EXPECT_EQ(start(), was_chosen);
  std::ofstream(state / "keeper.state") << "starts=4\ncrashes=3\nunrecorded=0\nrunning=1\n";
  EXPECT_EQ(start(), goes_on);
  EXPECT_EQ(runs(), one);
  EXPECT_EQ(failure(), "agent-crashes");
}

TEST(Launch, AChosenOneThatDoesNotUnderstandItsOptionsIsStartedAgain) {
  ::unsetenv("STARLING_AGENT_CHOSEN");
  EXPECT_EQ(status_here(exit_usage), 2);
  EXPECT_EQ(status_here(exit_configuration), 78);
  ::setenv("STARLING_AGENT_CHOSEN", "1", 1);
  EXPECT_EQ(status_here(exit_usage), 1);
  EXPECT_EQ(status_here(exit_configuration), 1);
  ::unsetenv("STARLING_AGENT_CHOSEN");
}

TEST_F(LaunchTest, OneOnTrialThatEndsWithoutACrashIsLeft) {
  run_on(one, true);
  run_on(two, false);
  put_program(two, "#!/bin/sh\nexit 0\n", 0755);
  for (std::int64_t i = 0; i < StartLimits{}.starts; ++i)
    ASSERT_EQ(start(), 0);
  EXPECT_EQ(start(), goes_on);
  EXPECT_EQ(runs(), one);
  EXPECT_EQ(failure(), "agent-starts");
}

TEST_F(LaunchTest, OneThatCannotBeExecutedIsLeft) {
  run_on(one, true);
  put_program(one, program, 0755);
  run_on(two, false);
  put_program(two,
              "\x7f"
              "ELF of another machine",
              0755);
  EXPECT_EQ(start(), was_chosen) << "the former one";
  EXPECT_EQ(runs(), one);
  EXPECT_EQ(failure(), "agent-cannot-run");
  put_program(one, "damaged", 0644);
  EXPECT_EQ(start(), goes_on) << "there is nothing to go back to";
  EXPECT_EQ(runs(), one);
}

}  // namespace
}  // namespace starling::agent
