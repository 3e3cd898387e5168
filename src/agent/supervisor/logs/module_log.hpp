// Purpose: what one module writes to its stdout and stderr: cut into lines, limited in rate, kept in rotated
// files, its last lines at hand, and told to followers. Sans-I/O but for the file.
// Owner: ModuleOutputs. Thread: one. Lifetime: as long as the module is known.
//
// Whatever a module writes, a few kilobytes of it are in memory: a line past the bound is cut, what comes
// faster than the limit is counted and left out, and a full disk loses lines, not the module.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/logs/rotated_file.hpp"
#include "base/clock.hpp"
#include "base/token_bucket.hpp"

namespace starling::agent {

enum class LogStream : std::uint8_t { out, err, note };  // note: by the log itself
std::string_view to_string(LogStream stream);            // "out"

struct ModuleLogLimits {
  std::size_t line_bytes = 8 * 1024;
  std::uint64_t file_bytes = 1024 * 1024;
  int files = 4;
  std::uint32_t bytes_per_second = 64 * 1024;
  std::uint32_t burst_bytes = 1024 * 1024;
};

class ModuleLog {
 public:
  using Follower = std::function<void(WallTime at, LogStream stream, std::string_view line)>;
  static constexpr std::size_t kept_lines = 20;  // of at most kept_line_bytes, for the cause of death
  static constexpr std::size_t kept_line_bytes = 400;
  static constexpr std::size_t max_followers = 8;

  ModuleLog(const Clock& clock, std::filesystem::path file, ModuleLogLimits limits = {});

  // What comes from now on is of this run; runs are numbered upwards.
  void begin_run(std::uint64_t run);
  // As they come, in pieces of any size. What is complete is in the file afterwards.
  void bytes(LogStream stream, std::string_view piece);
  // The stream has ended: what it left without a line feed is a line.
  void ended(LogStream stream);

  // Of the present or last run; oldest first, notes left out.
  std::vector<std::string> last_lines() const { return {kept_.begin(), kept_.end()}; }
  // Lines of the files as they are: "2026-11-20T22:33:00.000Z err text".
  std::string tail(std::size_t max_bytes) const { return file_.tail(max_bytes); }
  // The last of these, without line feeds, oldest first; of a quarter of a megabyte at most.
  std::vector<std::string> tail_lines(std::size_t count) const;
  // Lines are now being left out.
  bool flooded() const { return dropped_lines_ > 0; }

  // Called from within bytes() and ended(); what it keeps is for it to bound. Errors: rate_limited.
  Result<std::uint32_t> follow(Follower follower);
  void unfollow(std::uint32_t id) { followers_.erase(id); }

 private:
  struct Partial {
    std::string text;
    std::uint64_t cut_bytes = 0;  // of the line that is being read, whose beginning was told
    bool cutting = false;
  };
  void split(LogStream stream, std::string_view piece);
  void line(LogStream stream, std::string_view text);
  void end_of_cut(Partial& partial);
  void note(std::string text);
  void keep(LogStream stream, std::string_view printable);
  void tell_dropped();
  void write();

  const Clock& clock_;
  ModuleLogLimits limits_;
  Rate rate_;
  RotatedFile file_;
  TokenBucket bucket_;
  std::uint64_t run_ = 0;
  std::array<Partial, 2> partial_;
  std::deque<std::string> kept_;
  std::map<std::uint32_t, Follower> followers_;
  std::uint32_t next_follower_ = 1;
  std::string pending_;  // lines for the file, within one call
  std::uint64_t dropped_lines_ = 0, dropped_bytes_ = 0;
  std::uint64_t lost_bytes_ = 0;  // the file did not take them
};

}  // namespace starling::agent
