// Purpose: takes one datagram with its sender from a notify socket. Descriptors that come with it are closed
// here, whatever it says: a sender of BARRIER=1 waits for that, and nothing else is wanted of them.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace starling::agent {

struct NotifyDatagram {
  std::string text;      // max_notify_bytes + 1 of it at most
  std::int32_t pid = 0;  // as the kernel vouches for; 0: it did not
  std::uint32_t uid = 0;
  std::uint32_t descriptors = 0;  // that came along
};

// Never waits. nullopt: none is there. Errors: io. It stays in the socket, which outlives the agent, until
// what follows from it is done: should the agent end before, the next one finds it.
Result<std::optional<NotifyDatagram>> peek_notify(int socket);
void drop_notify(int socket);  // the one that was peeked at

}  // namespace starling::agent
