#include "keeper/orphans.hpp"

#include <sys/wait.h>

#include "keeper/process_table.hpp"

namespace starling::keeper {

void Orphans::reap() {
  for (;;) {
    siginfo_t oldest{};
    if (::waitid(P_ALL, 0, &oldest, WEXITED | WNOHANG | WNOWAIT) != 0 || oldest.si_pid == 0) return;
    if (is_held_(oldest.si_pid)) {
      if (!next_sweep_) next_sweep_ = clock_.steady() + Seconds(1);
      return;
    }
    ::waitpid(oldest.si_pid, nullptr, WNOHANG);
  }
}

void Orphans::sweep() {
  next_sweep_.reset();
  for (const OwnChild& child : own_children()) {
    if (!child.alive && !is_held_(child.pid)) ::waitpid(child.pid, nullptr, WNOHANG);
  }
}

}  // namespace starling::keeper
