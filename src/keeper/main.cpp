// The keeper: the only process that is started by the system or by hand; it starts the agent.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "base/exit_status.hpp"
#include "keeper/keeper.hpp"

namespace {

using namespace starling;

// What the starter left open is nobody's here, and would stay open in every module.
void close_inherited() {
  int descriptor = 0;
  do {
    descriptor = ::open("/dev/null", O_RDWR);  // standard input, output and error are always something
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (::syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0) == 0) return;
  for (long other = ::sysconf(_SC_OPEN_MAX); other > STDERR_FILENO; --other)
    ::close(static_cast<int>(other));
}

std::string own_folder() {
  char path[4096];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof(path));
  const std::string whole(path, size > 0 ? static_cast<std::size_t>(size) : 0);
  return whole.substr(0, whole.rfind('/') + 1);
}

int failed(const Error& error, int status) {
  std::fprintf(stderr, "starling-keeper: %s\n", error.message.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  auto line = keeper::parse_command_line(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
  if (!line) return failed(line.error(), exit_usage);
  if (line->shows_help || line->shows_version) {
    std::fputs(line->shows_help ? keeper::usage : STARLING_VERSION "\n", stdout);
    return 0;
  }
  close_inherited();
  if (line->agent.front().find('/') == std::string::npos) line->agent.front().insert(0, own_folder());
  const SystemClock clock;
  const keeper::Log log(clock, line->log_format);
  auto opened = keeper::Keeper::open(clock, log, std::move(*line));
  if (!opened) return failed(opened.error(), exit_status_of(opened.error()));
  return (*opened)->run();
}
