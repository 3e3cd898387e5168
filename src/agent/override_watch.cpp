#include "agent/override_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstring>

#include "agent/settings/override_file.hpp"

namespace starling::agent {

namespace {

// True if one of the kernel's events is about the override file, or if the kernel lost some.
bool about_override(std::string_view events) {
  constexpr std::size_t header = sizeof(inotify_event);
  while (events.size() >= header) {
    inotify_event event;
    std::memcpy(&event, events.data(), header);
    if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
    if (event.len > 0 && std::string_view(events.data() + header) == override_path) return true;
    events.remove_prefix(std::min(events.size(), header + event.len));
  }
  return false;
}

}  // namespace

struct OverrideWatch::Watch {
  Watch(const asio::any_io_executor& executor, int handle) : descriptor(executor, handle) {}
  asio::posix::stream_descriptor descriptor;
};

OverrideWatch::OverrideWatch(const asio::any_io_executor& executor, std::function<void()> written, Logger log)
    : executor_(executor), written_(std::move(written)), tasks_(executor, log) {}

OverrideWatch::~OverrideWatch() = default;

Result<void> OverrideWatch::start(const std::filesystem::path& state_folder) {
  const int handle = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (handle < 0) return fail(ErrorCode::io, std::string("inotify: ") + std::strerror(errno));
  if (::inotify_add_watch(handle, state_folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
    const int number = errno;
    ::close(handle);
    return fail(ErrorCode::io, "watching " + state_folder.string() + ": " + std::strerror(number));
  }
  watch_ = std::make_unique<Watch>(executor_, handle);
  tasks_.start("override watch", run());
  return {};
}

asio::awaitable<void> OverrideWatch::stop() {
  co_await tasks_.stop();
  watch_.reset();
}

asio::awaitable<void> OverrideWatch::run() {
  std::array<char, 4096> events{};
  while (true) {
    const auto [error, count] = co_await watch_->descriptor.async_read_some(
        asio::buffer(events), asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    if (about_override({events.data(), count})) written_();
  }
}

}  // namespace starling::agent
