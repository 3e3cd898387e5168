// Purpose: hears what modules say by sd_notify: only from processes of the module whose socket it is, and no
// faster than a supervisor needs to know. Owner: Agent. Thread: the io_context's. Lifetime: stop() completes
// before destruction.
//
// A module that floods is not read for a while: its socket fills, and its own calls wait. What strangers send
// has limits of its own and is told in the log alone. The queue is one, though: what they put into it delays
// the module, and once they have spent their limit the socket is not read for a while, either.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/notify/notify.hpp"
#include "agent/supervisor/processes/process_tree.hpp"
#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "base/task_group.hpp"

namespace starling::agent {

class NotifyListener {
 public:
  virtual ~NotifyListener() = default;
  virtual void notified(std::string_view child_id, const NotifyMessage& message) = 0;
  // Of the module itself: a few times at once, then once a minute, and once a minute of a flood.
  virtual void notified_wrongly(std::string_view child_id, std::string_view why) = 0;
};

class NotifyReader {
 public:
  static constexpr int most_at_once = 32;
  static constexpr int per_second = 100;
  static constexpr int burst = 200;
  static constexpr int strangers_per_second = 100;  // each is looked for in /proc, with its ancestors
  // A full queue, where net.unix.max_dgram_qlen is systemd's 512: it holds one more.
  static constexpr int most_at_end = 513;
  static constexpr Milliseconds flood_pause{200};
  static constexpr Seconds flood_telling{60};

  // `trees`, `clock` and `listener` outlive this.
  NotifyReader(asio::any_io_executor executor, const Clock& clock, const ProcessTrees& trees,
               NotifyListener& listener, Logger log);
  ~NotifyReader();
  asio::awaitable<void> stop();

  // `uid` is whom the module runs as. A socket that was attached as the same child is replaced.
  void attach(std::string_view child_id, std::string_view module, std::uint32_t uid, FileDescriptor socket);
  // What a child that has ended had said before, and nobody was told: most_at_end, whatever the limits.
  std::vector<NotifyMessage> drain(std::string_view child_id);
  void detach(std::string_view child_id);

 private:
  struct Source;
  asio::awaitable<void> read(std::shared_ptr<Source> source);
  using Heard = std::function<void(const NotifyMessage&)>;
  bool read_one(Source& source, const Heard& heard);  // false: there is none
  bool is_of_module(const Source& source, const struct NotifyDatagram& datagram) const;
  void take(Source& source, const struct NotifyDatagram& datagram, const Heard& heard);
  void tell(Source& source, std::string why);
  void tell_of_stranger(Source& source, const struct NotifyDatagram& datagram);
  void tell_of_flood(Source& source);

  asio::any_io_executor executor_;
  const Clock& clock_;
  const ProcessTrees& trees_;
  NotifyListener& listener_;
  Logger log_;
  TaskGroup tasks_;
  std::map<std::string, std::shared_ptr<Source>, std::less<>> sources_;
};

}  // namespace starling::agent
