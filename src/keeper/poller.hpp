// Purpose: waits for one of many descriptors and says so to the part that owns it.
// Owner: Keeper. Thread: main. Lifetime: outlives the sources that it watches.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"

namespace starling::keeper {

class Poller {
 public:
  class Source {
   public:
    virtual void ready(std::uint32_t events) = 0;  // may take away any source, itself included

   protected:
    ~Source() = default;
  };

  Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

  // 0, or errno.
  int watch(const FileDescriptor& descriptor, Source& source, std::uint32_t events = EPOLLIN);
  void change(const FileDescriptor& descriptor, Source& source, std::uint32_t events);
  void ignore(const FileDescriptor& descriptor);

  // Serves one descriptor, or none if the time is over first. One at a time: what follows is asked for anew,
  // so that no event is delivered to a source that the one before took away.
  void wait(std::optional<Milliseconds> at_most);

 private:
  FileDescriptor epoll_;
};

}  // namespace starling::keeper
