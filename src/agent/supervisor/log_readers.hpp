// Purpose: lets readers far away follow the logs of modules: the hub asks for them, and passes on what it
// gets. Owner: Supervisor. Thread: one. Lifetime: the supervisor's.
//
// Lines are put together, ten messages a second at most for each reader; what comes faster than the link
// takes it is counted and left out.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/module_log.hpp"
#include "agent/wakeup.hpp"
#include "protocol/messages.hpp"

namespace starling::agent {

class LogReaders {
 public:
  static constexpr std::size_t max_readers = 16;
  static constexpr Milliseconds pause{100};                 // between messages for one reader
  static constexpr std::size_t message_bytes = 96 * 1024;   // of text: escapes make it longer
  static constexpr std::size_t waiting_bytes = 256 * 1024;  // for one reader

  // nullptr: no module is called that.
  using LogOf = std::function<ModuleLog*(std::string_view module)>;
  using Send = std::function<void(const protocol::LogLines&)>;
  LogReaders(const Clock& clock, Wakeup& wakeup, LogOf log_of, Send send)
      : clock_(clock), wakeup_(wakeup), log_of_(std::move(log_of)), send_(std::move(send)) {}

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
    std::vector<protocol::LogLine> waiting;
    std::size_t bytes = 0;
    std::uint64_t left_out = 0;
    SteadyTime next{};
  };
  using Readers = std::map<std::string, Reader, std::less<>>;

  static void add(Reader& reader, protocol::LogLine line);
  void tell(const std::string& id, Reader& reader);
  void end(const std::string& id, std::string message);
  void forget(Readers::iterator reader);

  const Clock& clock_;
  Wakeup& wakeup_;
  LogOf log_of_;
  Send send_;
  Readers readers_;  // by id
};

// One line as ModuleLog writes it: "2026-11-20T22:33:00.000Z err text".
protocol::LogLine parse_log_line(std::string_view line);

}  // namespace starling::agent
