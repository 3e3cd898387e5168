#include "keeper/process_table.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace starling::keeper {
namespace {

TEST(OwnChildren, AreFoundAliveAndDead) {
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  siginfo_t info{};
  ::waitid(P_PID, static_cast<id_t>(dead), &info, WEXITED | WNOWAIT);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t alive = ::fork();
  if (alive == 0) {
    ::close(ends[1]);
    char nothing = 0;
    ::_exit(::read(ends[0], &nothing, 1) == 0 ? 0 : 1);
  }
  const auto children = own_children();
  const auto is_alive = [&](pid_t pid) {
    const auto found = std::ranges::find(children, pid, &OwnChild::pid);
    return found == children.end() ? -1 : static_cast<int>(found->alive);
  };
  EXPECT_EQ(is_alive(dead), 0);
  EXPECT_EQ(is_alive(alive), 1);
  EXPECT_GT(start_time_of(alive), 0u);
  ::close(ends[1]);
  ::close(ends[0]);
  ::waitpid(dead, nullptr, 0);
  ::waitpid(alive, nullptr, 0);
  EXPECT_EQ(start_time_of(dead), 0u);
}

}  // namespace
}  // namespace starling::keeper
