#include "agent/supervisor/notify_reader.hpp"

#include <fmt/format.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/supervisor/notify_socket.hpp"
#include "base/token_bucket.hpp"
#include "base/tuple_awaitable.hpp"

namespace starling::agent {
namespace {

constexpr Rate message_rate{NotifyReader::per_second, NotifyReader::burst};
constexpr Rate problem_rate{1, 5};

}  // namespace

struct NotifyReader::Source {
  Source(const asio::any_io_executor& executor, FileDescriptor descriptor, SteadyTime now)
      : socket(executor, descriptor.release()),
        pause(executor),
        messages(message_rate, now),
        problems(problem_rate, now) {}
  asio::posix::stream_descriptor socket;
  asio::steady_timer pause;
  std::string child_id, module;
  std::uint32_t uid = 0;
  TokenBucket messages, problems;
  bool open = true;
  bool flooding = false;

  void close() {
    open = false;
    pause.cancel();
    boost::system::error_code ignored;
    socket.close(ignored);
  }
};

NotifyReader::NotifyReader(asio::any_io_executor executor, const Clock& clock, const ProcessTrees& trees,
                           NotifyListener& listener, Logger log)
    : executor_(executor), clock_(clock), trees_(trees), listener_(listener), tasks_(executor, log) {}

NotifyReader::~NotifyReader() = default;

asio::awaitable<void> NotifyReader::stop() {
  co_await tasks_.stop();
  sources_.clear();
}

void NotifyReader::attach(std::string_view child_id, std::string_view module, std::uint32_t uid,
                          FileDescriptor socket) {
  detach(child_id);
  if (!socket) return;
  auto source = std::make_shared<Source>(executor_, std::move(socket), clock_.steady());
  source->child_id = child_id;
  source->module = module;
  source->uid = uid;
  sources_.emplace(child_id, source);
  tasks_.start("notify socket", read(source));
}

void NotifyReader::detach(std::string_view child_id) {
  const auto found = sources_.find(child_id);
  if (found == sources_.end()) return;
  found->second->close();  // its reader ends
  sources_.erase(found);
}

std::vector<NotifyMessage> NotifyReader::drain(std::string_view child_id) {
  std::vector<NotifyMessage> messages;
  const auto found = sources_.find(child_id);
  if (found == sources_.end()) return messages;
  read_some(*found->second, burst, [&](const NotifyMessage& message) { messages.push_back(message); });
  return messages;
}

asio::awaitable<void> NotifyReader::read(std::shared_ptr<Source> source) {
  const Heard heard = [this, &id = source->child_id](const NotifyMessage& message) {
    listener_.notified(id, message);
  };
  while (source->open) {
    const auto [error] =
        co_await source->socket.async_wait(asio::posix::descriptor_base::wait_read, tuple_awaitable);
    if (error || !source->open) co_return;
    const int count = read_some(*source, most_at_once, heard);
    if (!source->open || source->messages.left(message_rate, clock_.steady()) >= 1) {
      if (count < most_at_once) source->flooding = false;
      continue;
    }
    if (!source->flooding)
      tell(*source, fmt::format("sd_notify: more than {} messages a second", per_second));
    source->flooding = true;
    source->pause.expires_after(flood_pause);
    const auto [stopped] = co_await source->pause.async_wait(tuple_awaitable);
    if (stopped) co_return;
  }
}

int NotifyReader::read_some(Source& source, int most, const Heard& heard) {
  int count = 0;
  while (count < most && source.open && source.messages.take_all(message_rate, clock_.steady(), 1)) {
    const auto datagram = peek_notify(source.socket.native_handle());
    if (datagram && *datagram) {
      ++count;
      take(source, **datagram, heard);
      if (source.open) drop_notify(source.socket.native_handle());
      continue;
    }
    source.messages.earn(1);
    if (!datagram) {
      tell(source, datagram.error().message);
      source.close();
    }
    break;
  }
  return count;
}

void NotifyReader::take(Source& source, const NotifyDatagram& datagram, const Heard& heard) {
  const Membership sender =
      datagram.pid > 0 ? trees_.membership(source.module, datagram.pid) : Membership::stranger;
  // A daemon may become another user. Of one that is gone already, such as systemd-notify, and of one that
  // only says whose it is, the user must do.
  constexpr std::uint32_t root = 0;
  const bool same_user = datagram.uid == source.uid || datagram.uid == root;
  if (sender == Membership::stranger || (sender != Membership::member && !same_user)) {
    tell(source, fmt::format("sd_notify: process {} of user {} is not of this module: ignored", datagram.pid,
                             datagram.uid));
    return;
  }
  auto message = parse_notify(datagram.text);
  if (!message) {
    tell(source, message.error().message);
    return;
  }
  if (!message->problem.empty()) tell(source, message->problem);
  if (message->main_pid) {
    const auto process = trees_.member(source.module, *message->main_pid);
    if (process) {
      message->main_start_time = process->start_time;
    } else {
      tell(source, fmt::format("sd_notify: MAINPID={} is not of this module: ignored", *message->main_pid));
      message->main_pid.reset();
    }
  }
  heard(*message);
}

void NotifyReader::tell(Source& source, std::string_view why) {
  if (source.problems.take_all(problem_rate, clock_.steady(), 1))
    listener_.notified_wrongly(source.child_id, why);
}

}  // namespace starling::agent
