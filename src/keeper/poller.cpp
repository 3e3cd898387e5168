#include "keeper/poller.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace starling::keeper {

int Poller::watch(const FileDescriptor& descriptor, Source& source, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  return ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, descriptor.number(), &event) == 0 ? 0 : errno;
}

void Poller::change(const FileDescriptor& descriptor, Source& source, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &source;
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_MOD, descriptor.number(), &event);
}

void Poller::ignore(const FileDescriptor& descriptor) {
  ::epoll_ctl(epoll_.number(), EPOLL_CTL_DEL, descriptor.number(), nullptr);
}

void Poller::wait(std::optional<Milliseconds> at_most) {
  constexpr std::int64_t longest = std::numeric_limits<int>::max();
  const int timeout = at_most ? static_cast<int>(std::clamp<std::int64_t>(at_most->count(), 0, longest)) : -1;
  epoll_event event{};
  if (::epoll_wait(epoll_.number(), &event, 1, timeout) > 0) {
    static_cast<Source*>(event.data.ptr)->ready(event.events);
  }
}

}  // namespace starling::keeper
