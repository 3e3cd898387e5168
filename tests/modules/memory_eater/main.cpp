// memory-eater MIB: allocates and touches so much, a MiB at a time, says READY=1 and keeps it.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

void say_ready() {
  const char* name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::string(name).copy(address.sun_path, sizeof(address.sun_path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int supervisor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  constexpr char message[] = "READY=1";
  ::sendto(supervisor, message, sizeof(message) - 1, MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
  ::close(supervisor);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t bite = std::size_t{1} << 20;
  const int wanted = argc > 1 ? std::atoi(argv[1]) : 0;
  std::vector<char*> eaten;
  for (int i = 0; i < wanted; ++i) {
    eaten.push_back(static_cast<char*>(std::malloc(bite)));
    if (eaten.back() == nullptr) return 1;
    std::memset(eaten.back(), i, bite);
    std::printf("ate %d MiB\n", i + 1);
    std::fflush(stdout);
  }
  say_ready();
  while (true)
    ::pause();
}
