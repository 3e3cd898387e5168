#include "agent/update/launch.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/factory_reset.hpp"
#include "agent/posix_disk.hpp"
#include "agent/update/boot_guard.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

// Set for whoever was chosen: it does not choose again.
constexpr const char* chosen_variable = "STARLING_AGENT_CHOSEN";
// The program that chooses.
constexpr const char* installed_variable = "STARLING_INSTALLED_AGENT";

std::string own_program() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).string();
}

StartCounts counts_in(const fs::path& keeper_state) {
  constexpr std::size_t more_than_it_has = 4096;
  const auto text = keeper_state.empty() ? Result<std::string>() : read_file(keeper_state, more_than_it_has);
  return text ? parse_start_counts(*text) : StartCounts();
}

// Empty: the installed one.
fs::path program_of(const fs::path& state, const std::optional<Release>& release) {
  if (!release) return {};
  fs::path program = state / release_path(release->hash) / release_agent_path;
  return ::access(program.c_str(), F_OK) == 0 ? program : fs::path();
}

// As long as the state folder is this process's.
Result<fs::path> choose(const fs::path& state, const StartCounts& counts, const Clock& clock, Logger log) {
  const auto lock = FileLock::acquire(state / "agent.lock");
  if (!lock) return fail(lock);
  PosixDisk disk(state);
  if (disk.status(factory_reset_mark)) return fs::path();  // what the generation says is about to go
  const auto release = choose_release(disk, clock, counts, log);
  if (!release) return fail(release);
  return program_of(state, *release);
}

void give_up(const fs::path& state, const Clock& clock, std::string why, Logger log) {
  const auto lock = FileLock::acquire(state / "agent.lock");
  if (!lock) return;
  PosixDisk disk(state);
  if (auto given_up = give_up_release(disk, clock, std::move(why), log); !given_up) {
    log.error("cannot go back from a release whose agent cannot run", {{"error", given_up.error().message}});
  }
}

}  // namespace

void become_chosen_agent(const fs::path& state, const fs::path& keeper_state, const Clock& clock, Log& log,
                         char** argv) {
  const Logger logger(log, "agent");
  std::error_code unreadable;
  if (std::getenv(chosen_variable) != nullptr || !fs::exists(state, unreadable)) return;
  ::setenv(installed_variable, own_program().c_str(), 1);
  ::setenv(chosen_variable, "1", 1);
  constexpr int choices = 2;  // the second is what the device goes back to
  for (int i = 0; i < choices; ++i) {
    const auto program = choose(state, counts_in(keeper_state), clock, logger);
    if (!program) {
      logger.warning("the installed agent goes on", {{"error", program.error().message}});
      return;
    }
    if (program->empty()) return;
    ::execv(program->c_str(), argv);
    give_up(state, clock, program->string() + " cannot be executed: " + std::strerror(errno), logger);
  }
}

int status_of(LastingEnd end) {
  return std::getenv(chosen_variable) == nullptr ? static_cast<int>(end) : 1;
}

void become_installed_agent(char** argv) {
  const char* const installed = std::getenv(installed_variable);
  const std::string program = installed != nullptr && *installed != '\0' ? installed : "/proc/self/exe";
  ::unsetenv(chosen_variable);
  ::execv(program.c_str(), argv);
}

}  // namespace starling::agent
