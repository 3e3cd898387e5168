#include "agent/supervisor/log_readers.hpp"

#include <algorithm>

namespace starling::agent {
namespace {

std::string_view stream_name(std::string_view stream) {
  return stream == "out" ? "stdout" : stream == "err" ? "stderr" : "note";
}

// What to_rfc3339 gives; zero if it is something else.
std::int64_t unix_ms(std::string_view text) {
  constexpr std::string_view shape = "0000-00-00T00:00:00.000Z";
  if (text.size() != shape.size()) return 0;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (shape[i] == '0' ? !digit : text[i] != shape[i]) return 0;
  }
  const auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (const char digit : text.substr(at, count))
      value = 10 * value + (digit - '0');
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  if (!date.ok()) return 0;
  const Milliseconds of_day = std::chrono::hours(number(11, 2)) + std::chrono::minutes(number(14, 2)) +
                              Seconds(number(17, 2)) + Milliseconds(number(20, 3));
  return WallTime(std::chrono::sys_days(date) + of_day).time_since_epoch().count();
}

}  // namespace

protocol::LogLine parse_log_line(std::string_view line) {
  protocol::LogLine parsed;
  const auto time_end = std::min(line.find(' '), line.size());
  parsed.at_ms = unix_ms(line.substr(0, time_end));
  const auto stream_end = line.find(' ', time_end + 1);
  if (parsed.at_ms == 0 || stream_end == std::string_view::npos) {
    parsed.stream = "note";
    parsed.text = line;
    return parsed;
  }
  parsed.stream = stream_name(line.substr(time_end + 1, stream_end - time_end - 1));
  parsed.text = line.substr(stream_end + 1);
  return parsed;
}

void LogReaders::follow(const protocol::LogFollow& wish) {
  stop(wish.id);
  ModuleLog* log = log_of_(wish.module);
  if (log == nullptr) return end(wish.id, "no module is called '" + wish.module + "'");
  if (readers_.size() >= max_readers) return end(wish.id, "too many read this device's logs already");
  Reader& reader = readers_[wish.id];
  reader.module = wish.module;
  for (const std::string& line : log->tail_lines(static_cast<std::size_t>(wish.lines)))
    add(reader, parse_log_line(line));
  if (!wish.follow) return end(wish.id, "");
  const auto following =
      log->follow([this, id = wish.id](WallTime at, LogStream stream, std::string_view line) {
        add(readers_.at(id),
            {at.time_since_epoch().count(), std::string(stream_name(to_string(stream))), std::string(line)});
        wakeup_.deadlines_changed();
      });
  if (!following) return end(wish.id, following.error().message);
  reader.follower = *following;
  tell(wish.id, reader);
}

void LogReaders::add(Reader& reader, protocol::LogLine line) {
  if (reader.bytes + line.text.size() > waiting_bytes) {
    ++reader.left_out;
    return;
  }
  reader.bytes += line.text.size();
  reader.waiting.push_back(std::move(line));
}

// All that waits, in messages of bounded size.
void LogReaders::tell(const std::string& id, Reader& reader) {
  constexpr std::size_t most_lines = 1'000;
  if (reader.left_out > 0) {
    reader.waiting.push_back({clock_.wall().time_since_epoch().count(), "note",
                              std::to_string(reader.left_out) + " lines came too fast and are left out"});
  }
  protocol::LogLines message;
  message.id = id;
  std::size_t bytes = 0;
  for (protocol::LogLine& line : reader.waiting) {
    if (bytes + line.text.size() > message_bytes || message.lines.size() >= most_lines) {
      send_(message);
      message.lines.clear();
      bytes = 0;
    }
    bytes += line.text.size();
    message.lines.push_back(std::move(line));
  }
  if (!message.lines.empty()) send_(message);
  reader.waiting.clear();
  reader.bytes = 0;
  reader.left_out = 0;
  reader.next = clock_.steady() + pause;
}

void LogReaders::end(const std::string& id, std::string message) {
  if (const auto reader = readers_.find(id); reader != readers_.end()) {
    tell(id, reader->second);
    forget(reader);
  }
  protocol::LogLines last;
  last.id = id;
  last.ended = true;
  last.message = std::move(message);
  send_(last);
}

void LogReaders::forget(Readers::iterator reader) {
  ModuleLog* log = log_of_(reader->second.module);
  if (reader->second.follower && log != nullptr) log->unfollow(*reader->second.follower);
  readers_.erase(reader);
}

void LogReaders::stop(std::string_view id) {
  if (const auto reader = readers_.find(id); reader != readers_.end()) forget(reader);
}

void LogReaders::stop_all() {
  while (!readers_.empty())
    forget(readers_.begin());
}

void LogReaders::module_gone(std::string_view module) {
  std::vector<std::string> ids;
  for (const auto& [id, reader] : readers_)
    if (reader.module == module) ids.push_back(id);
  for (const std::string& id : ids)
    end(id, "the module's folder is gone");
}

void LogReaders::tick() {
  const SteadyTime now = clock_.steady();
  for (auto& [id, reader] : readers_)
    if (!reader.waiting.empty() && now >= reader.next) tell(id, reader);
}

std::optional<SteadyTime> LogReaders::next_deadline() const {
  std::optional<SteadyTime> next;
  for (const auto& [id, reader] : readers_)
    if (!reader.waiting.empty() && (!next || reader.next < *next)) next = reader.next;
  return next;
}

}  // namespace starling::agent
