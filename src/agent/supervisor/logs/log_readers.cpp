#include "agent/supervisor/logs/log_readers.hpp"

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
  if (log == nullptr) return say_end(wish.id, "no module is called '" + wish.module + "'");
  if (readers_.size() >= max_readers) return say_end(wish.id, "too many read this device's logs already");
  const auto added = readers_.try_emplace(wish.id).first;
  Reader& reader = added->second;
  reader.module = wish.module;
  for (const std::string& line : log->tail_lines(static_cast<std::size_t>(wish.lines)))
    add(reader, parse_log_line(line));
  if (wish.follow) {
    const auto following = log->follow([this, &reader](WallTime at, LogStream stream, std::string_view line) {
      add(reader,
          {at.time_since_epoch().count(), std::string(stream_name(to_string(stream))), std::string(line)});
      wakeup_.deadlines_changed();
    });
    if (following) {
      reader.follower = *following;
    } else {
      reader.end = following.error().message;
    }
  } else {
    reader.end = "";
  }
  tell(added);
}

void LogReaders::add(Reader& reader, protocol::LogLine line) {
  if (reader.left_out > 0 || reader.bytes + line.text.size() > waiting_bytes) {
    ++reader.left_out;
    return;
  }
  reader.bytes += line.text.size();
  reader.waiting.push_back(std::move(line));
}

protocol::LogLines LogReaders::next_message(const std::string& id, Reader& reader) {
  constexpr std::size_t most_lines = 1'000;
  protocol::LogLines message;
  message.id = id;
  std::size_t bytes = 0;
  while (!reader.waiting.empty() && message.lines.size() < most_lines) {
    protocol::LogLine& line = reader.waiting.front();
    if (bytes > 0 && bytes + line.text.size() > message_bytes) break;
    bytes += line.text.size();
    message.lines.push_back(std::move(line));
    reader.waiting.pop_front();
  }
  reader.bytes -= std::min(reader.bytes, bytes);
  return message;
}

// As much of what waits as the link takes.
void LogReaders::tell(Readers::iterator found) {
  auto& [id, reader] = *found;
  if (!link_has_room()) {
    held_until_ = clock_.steady() + pause;
    return;
  }
  reader.next = clock_.steady() + pause;
  if (const std::uint64_t count = std::exchange(reader.left_out, 0); count > 0) {
    reader.waiting.push_back(
        {clock_.wall().time_since_epoch().count(), "note",
         std::to_string(count) + " lines are left out: they came faster than the link takes them"});
  }
  while (!reader.waiting.empty() && link_has_room())
    send_(next_message(id, reader));
  if (!reader.waiting.empty() || !reader.end) return;
  say_end(id, *std::move(reader.end));
  forget(found);
}

void LogReaders::say_end(const std::string& id, std::string message) {
  protocol::LogLines last;
  last.id = id;
  last.ended = true;
  last.message = std::move(message);
  send_(last);
}

void LogReaders::unfollow(Reader& reader) {
  ModuleLog* log = log_of_(reader.module);
  if (reader.follower && log != nullptr) log->unfollow(*reader.follower);
  reader.follower.reset();
}

void LogReaders::forget(Readers::iterator reader) {
  unfollow(reader->second);
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
  for (auto next = readers_.begin(); next != readers_.end();) {
    const auto reader = next++;
    if (reader->second.module != module) continue;
    unfollow(reader->second);
    reader->second.end = "the module's folder is gone";
    tell(reader);
  }
}

void LogReaders::tick() {
  const SteadyTime now = clock_.steady();
  if (now < held_until_) return;
  std::vector<Readers::iterator> due;
  for (auto reader = readers_.begin(); reader != readers_.end(); ++reader)
    if (reader->second.waits() && now >= reader->second.next) due.push_back(reader);
  // Who has waited longest is first: one flood does not take all that a slow link has room for.
  std::ranges::stable_sort(due, {}, [](const auto& reader) { return reader->second.next; });
  for (const auto reader : due)
    tell(reader);
}

std::optional<SteadyTime> LogReaders::next_deadline() const {
  std::optional<SteadyTime> next;
  for (const auto& [id, reader] : readers_)
    if (reader.waits() && (!next || reader.next < *next)) next = reader.next;
  return next ? std::max(*next, held_until_) : next;
}

}  // namespace starling::agent
