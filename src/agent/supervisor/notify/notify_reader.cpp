#include "agent/supervisor/notify/notify_reader.hpp"

#include <fmt/format.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "agent/supervisor/notify/notify_socket.hpp"
#include "base/token_bucket.hpp"
#include "base/tuple_awaitable.hpp"

namespace starling::agent {
namespace {

constexpr Rate message_rate{NotifyReader::per_second, NotifyReader::burst};
constexpr Rate stranger_rate{NotifyReader::strangers_per_second, NotifyReader::strangers_per_second};
constexpr Rate problem_rate{1.0 / 60, 5};

// Tells the first few, and then now and then one with the number of those before it.
class SparingTeller {
 public:
  explicit SparingTeller(SteadyTime now) : bucket_(problem_rate, now) {}
  // nullopt: this is not to be told. Else how many were not since the last one.
  std::optional<std::uint64_t> next(SteadyTime now) {
    if (bucket_.take_all(problem_rate, now, 1)) return std::exchange(untold_, 0);
    ++untold_;
    return std::nullopt;
  }

 private:
  TokenBucket bucket_;
  std::uint64_t untold_ = 0;
};

}  // namespace

struct NotifyReader::Source {
  Source(const asio::any_io_executor& executor, FileDescriptor descriptor, SteadyTime now)
      : socket(executor, descriptor.release()),
        pause(executor),
        messages(message_rate, now),
        strangers(stranger_rate, now),
        problems(now),
        told_strangers(now) {}
  asio::posix::stream_descriptor socket;
  asio::steady_timer pause;
  std::string child_id, module;
  std::uint32_t uid = 0;
  TokenBucket messages, strangers;
  SparingTeller problems, told_strangers;
  bool open = true;
  std::optional<SteadyTime> flood_told;
  std::uint64_t taken = 0;  // since then

  bool must_wait(SteadyTime now) const {
    return messages.left(message_rate, now) < 1 || strangers.left(stranger_rate, now) < 1;
  }

  void close() {
    open = false;
    pause.cancel();
    boost::system::error_code ignored;
    socket.close(ignored);
  }
};

NotifyReader::NotifyReader(asio::any_io_executor executor, const Clock& clock, const ProcessTrees& trees,
                           NotifyListener& listener, Logger log)
    : executor_(executor),
      clock_(clock),
      trees_(trees),
      listener_(listener),
      log_(log),
      tasks_(executor, log) {}

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
  const Heard heard = [&](const NotifyMessage& message) { messages.push_back(message); };
  for (int i = 0; i < most_at_end && read_one(*found->second, heard); ++i) {
  }
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
    for (int i = 0; i < most_at_once && !source->must_wait(clock_.steady()); ++i)
      if (!read_one(*source, heard)) break;
    if (!source->open || !source->must_wait(clock_.steady())) continue;
    source->pause.expires_after(flood_pause);
    const auto [stopped] = co_await source->pause.async_wait(tuple_awaitable);
    if (stopped) co_return;
  }
}

bool NotifyReader::read_one(Source& source, const Heard& heard) {
  if (!source.open) return false;
  const auto datagram = peek_notify(source.socket.native_handle());
  if (!datagram) {
    tell(source, datagram.error().message);
    source.close();
    return false;
  }
  if (!*datagram) return false;
  if (is_of_module(source, **datagram)) {
    source.messages.take_all(message_rate, clock_.steady(), 1);
    ++source.taken;
    if (source.messages.left(message_rate, clock_.steady()) < 1) tell_of_flood(source);
    take(source, **datagram, heard);
  } else {
    source.strangers.take_all(stranger_rate, clock_.steady(), 1);
    tell_of_stranger(source, **datagram);
  }
  if (source.open) drop_notify(source.socket.native_handle());
  return source.open;
}

bool NotifyReader::is_of_module(const Source& source, const NotifyDatagram& datagram) const {
  const Membership sender =
      datagram.pid > 0 ? trees_.membership(source.module, datagram.pid) : Membership::stranger;
  // A daemon may become another user. Of one that is gone already, such as systemd-notify, and of one that
  // only says whose it is, the user must do.
  constexpr std::uint32_t root = 0;
  const bool same_user = datagram.uid == source.uid || datagram.uid == root;
  return sender == Membership::member || (sender != Membership::stranger && same_user);
}

void NotifyReader::take(Source& source, const NotifyDatagram& datagram, const Heard& heard) {
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

void NotifyReader::tell(Source& source, std::string why) {
  const auto untold = source.problems.next(clock_.steady());
  if (!untold) return;
  if (*untold > 0) why += fmt::format("; {} more were not told", *untold);
  listener_.notified_wrongly(source.child_id, why);
}

void NotifyReader::tell_of_stranger(Source& source, const NotifyDatagram& datagram) {
  const auto untold = source.told_strangers.next(clock_.steady());
  if (!untold) return;
  log_.warning(
      "sd_notify: a process that is not of the module is ignored",
      {{"module", source.module}, {"pid", datagram.pid}, {"uid", datagram.uid}, {"untold", *untold}});
}

void NotifyReader::tell_of_flood(Source& source) {
  const SteadyTime now = clock_.steady();
  if (source.flood_told && now < *source.flood_told + flood_telling) return;
  std::string why = fmt::format("sd_notify: more than {} messages a second", per_second);
  if (source.flood_told) why += fmt::format("; {} since this was last said", source.taken);
  source.flood_told = now;
  source.taken = 0;
  listener_.notified_wrongly(source.child_id, why);
}

}  // namespace starling::agent
