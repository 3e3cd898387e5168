// Purpose: lets readers far away follow the logs of modules: the hub asks for them, and passes on what it
// gets. Owner: Supervisor. Thread: one. Lifetime: the supervisor's.
//
// Lines are put together, ten times a second at most for each reader, and wait while the link has much to
// send; what comes faster than it takes them is counted and left out.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/logs/module_log.hpp"
#include "agent/wakeup.hpp"
#include "protocol/messages.hpp"

namespace starling::agent {

class LogReaders {
 public:
  static constexpr std::size_t max_readers = 16;
  static constexpr Milliseconds pause{100};                 // between messages for one reader
  static constexpr std::size_t message_bytes = 96 * 1024;   // of text: escapes make it longer
  static constexpr std::size_t waiting_bytes = 256 * 1024;  // for one reader
  static constexpr std::size_t link_bytes = 256 * 1024;     // that the link has not sent: more is not added

  // nullptr: no module is called that.
  using LogOf = std::function<ModuleLog*(std::string_view module)>;
  using Send = std::function<void(const protocol::LogLines&)>;
  using Unsent = std::function<std::size_t()>;  // bytes that wait on the link
  LogReaders(const Clock& clock, Wakeup& wakeup, LogOf log_of, Send send, Unsent unsent)
      : clock_(clock),
        wakeup_(wakeup),
        log_of_(std::move(log_of)),
        send_(std::move(send)),
        unsent_(std::move(unsent)) {}

  void follow(const protocol::LogFollow& wish);
  void stop(std::string_view id);
  void stop_all();                            // the link is lost
  void module_gone(std::string_view module);  // while its log is still there

  void tick();
  std::optional<SteadyTime> next_deadline() const;

 private:
  struct Reader {
    std::string module;
    std::optional<std::uint32_t> follower;
    std::deque<protocol::LogLine> waiting;
    std::size_t bytes = 0;
    std::uint64_t left_out = 0;      // after those that wait
    std::optional<std::string> end;  // no more comes, and why not: empty if all was told
    SteadyTime next{};
    bool waits() const { return !waiting.empty() || end; }
  };
  using Readers = std::map<std::string, Reader, std::less<>>;

  static void add(Reader& reader, protocol::LogLine line);
  static protocol::LogLines next_message(const std::string& id, Reader& reader);
  bool link_has_room() const { return unsent_() < link_bytes; }
  void tell(Readers::iterator reader);
  void say_end(const std::string& id, std::string message);
  void unfollow(Reader& reader);
  void forget(Readers::iterator reader);

  const Clock& clock_;
  Wakeup& wakeup_;
  LogOf log_of_;
  Send send_;
  Unsent unsent_;
  Readers readers_;          // by id
  SteadyTime held_until_{};  // by the link
};

// One line as ModuleLog writes it: "2026-11-20T22:33:00.000Z err text".
protocol::LogLine parse_log_line(std::string_view line);

}  // namespace starling::agent
