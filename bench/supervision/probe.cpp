// What is supervised, and two more roles that should cost as little as it does:
//
//   supervised_probe run NAME SOCKET       says that it is ready, to its supervisor and to the bench; waits
//   supervised_probe listen SOCKET         an event listener of supervisord that passes exits on to the bench
//   supervised_probe fork COUNT SOCKET     starts so many of the first: the floor of a parallel start
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

void tell(std::string_view socket, std::string_view message) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = socket.copy(address.sun_path, sizeof(address.sun_path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ::sendto(descriptor, message.data(), message.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(descriptor);
}

[[noreturn]] void wait_for_ever() {
  while (true)
    ::pause();
}

[[noreturn]] void run(const char* name, const char* socket) {
  if (const char* notify = std::getenv("NOTIFY_SOCKET")) tell(notify, "READY=1");
  constexpr int s6_readiness = 3;
  if (::fcntl(s6_readiness, F_GETFD) >= 0 && ::write(s6_readiness, "\n", 1) == 1) ::close(s6_readiness);
  tell(socket, "ready " + std::string(name) + " " + std::to_string(::getpid()));
  wait_for_ever();
}

// The value of "key:value" in a line of words.
std::string value_of(const std::string& line, std::string_view key) {
  const auto at = line.find(key);
  if (at == std::string::npos) return {};
  const auto begin = at + key.size();
  return line.substr(begin, line.find_first_of(" \n", begin) - begin);
}

[[noreturn]] void listen(const char* socket) {
  char* line = nullptr;
  std::size_t capacity = 0;
  while (true) {
    std::fputs("READY\n", stdout);
    std::fflush(stdout);
    if (::getline(&line, &capacity, stdin) < 0) std::exit(0);
    std::string payload(std::strtoul(value_of(line, "len:").c_str(), nullptr, 10), '\0');
    if (std::fread(payload.data(), 1, payload.size(), stdin) != payload.size()) std::exit(1);
    tell(socket, "down " + value_of(payload, "processname:"));
    std::fputs("RESULT 2\nOK", stdout);
  }
}

[[noreturn]] void fork_all(char* self, int count, char* socket) {
  for (int i = 0; i < count; ++i) {
    std::string role = "run", name = "m" + std::to_string(i);
    char* arguments[] = {self, role.data(), name.data(), socket, nullptr};
    pid_t child = 0;
    if (::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments, environ) != 0) std::exit(1);
  }
  wait_for_ever();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (role == "run" && argc == 4) run(argv[2], argv[3]);
  if (role == "listen" && argc == 3) listen(argv[2]);
  if (role == "fork" && argc == 4) fork_all(argv[0], std::atoi(argv[2]), argv[3]);
  std::fputs("usage: supervised_probe run NAME SOCKET | listen SOCKET | fork COUNT SOCKET\n", stderr);
  return 2;
}
