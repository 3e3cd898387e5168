#include "agent/update/launch.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/factory_reset.hpp"
#include "agent/posix_disk.hpp"
#include "agent/update/boot_guard.hpp"
#include "base/exit_status.hpp"
#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "keeper/protocol.hpp"

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

StartCounts counts_of(const LaunchKeeper& keeper) {
  constexpr std::size_t more_than_it_has = 4096;
  const auto text = keeper.socket.empty()
                        ? Result<std::string>()
                        : read_file(keeper.socket.parent_path() / "keeper.state", more_than_it_has);
  return text ? parse_start_counts(*text) : StartCounts();
}

// A release's agent may hang before it has spoken to the keeper. Once it has, it is the one to ask.
void have_watched(const LaunchKeeper& keeper) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = keeper.socket.string();
  if (keeper.watchdog <= Milliseconds(0) || path.size() >= sizeof(address.sun_path)) return;
  path.copy(address.sun_path, path.size());
  const FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  const auto say = [&](const keeper::Request& request) {
    const std::string packet = keeper::encode(request).value();
    return ::send(socket.number(), packet.data(), packet.size(), MSG_NOSIGNAL) >= 0;
  };
  ::setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const auto* const name = reinterpret_cast<const sockaddr*>(&address);
  if (::connect(socket.number(), name, sizeof(address)) != 0 || !say(keeper::Hello{})) return;
  std::string packet(keeper::max_packet_bytes, '\0');
  while (true) {  // it hears what comes now when it has said all that it had to say
    const ssize_t got = ::recv(socket.number(), packet.data(), packet.size(), 0);
    if (got <= 0) return;
    const auto report =
        keeper::parse_report(std::string_view(packet).substr(0, static_cast<std::size_t>(got)));
    const auto* welcome = report ? std::get_if<keeper::Welcome>(&*report) : nullptr;
    if (welcome != nullptr && welcome->version < keeper::first_version_with_watch) return;
    if (report && std::holds_alternative<keeper::Listed>(*report)) break;
  }
  say(keeper::Watch{static_cast<std::uint64_t>(keeper.watchdog.count())});
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

void become_chosen_agent(const fs::path& state, const LaunchKeeper& keeper, const Clock& clock, Log& log,
                         char** argv) {
  const Logger logger(log, "agent");
  std::error_code unreadable;
  if (std::getenv(chosen_variable) != nullptr || !fs::exists(state, unreadable)) return;
  ::setenv(installed_variable, own_program().c_str(), 1);
  constexpr int choices = 2;  // the second is what the device goes back to
  for (int i = 0; i < choices; ++i) {
    const auto program = choose(state, counts_of(keeper), clock, logger);
    if (!program) {
      logger.warning("the installed agent goes on", {{"error", program.error().message}});
      return;
    }
    if (program->empty()) return;
    have_watched(keeper);
    ::setenv(chosen_variable, "1", 1);
    ::execv(program->c_str(), argv);
    ::unsetenv(chosen_variable);
    give_up(state, clock, program->string() + " cannot be executed: " + std::strerror(errno), logger);
  }
}

int status_here(int status) {
  return std::getenv(chosen_variable) == nullptr ? status : exit_failure;
}

void become_installed_agent(char** argv) {
  const char* const installed = std::getenv(installed_variable);
  const std::string program = installed != nullptr && *installed != '\0' ? installed : "/proc/self/exe";
  ::unsetenv(chosen_variable);
  ::execv(program.c_str(), argv);
}

}  // namespace starling::agent
