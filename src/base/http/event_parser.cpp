#include "base/http/event_parser.hpp"

#include <algorithm>

namespace starling::http {
namespace {

constexpr std::size_t max_event_bytes = 4u << 20;

}  // namespace

Result<EventParser::Verdict> EventParser::feed(std::string_view bytes, const Sink& sink) {
  while (!bytes.empty()) {
    if (after_cr_ && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      after_cr_ = false;
      continue;
    }
    after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    line_ += bytes.substr(0, end);
    if (line_.size() + event_.data.size() > max_event_bytes) {
      return fail(ErrorCode::too_large, "an event of the stream is larger than 4 MiB");
    }
    if (end == bytes.npos) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    const Result<Verdict> verdict = take_line(sink);
    if (!verdict || *verdict == Verdict::stop) return verdict;
  }
  return Verdict::go_on;
}

Result<EventParser::Verdict> EventParser::take_line(const Sink& sink) {
  const std::string line = std::exchange(line_, {});
  std::string_view rest = line;
  if (std::exchange(at_start_, false) && rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  if (rest.empty()) {
    // The id outlives its event: it is where the client resumes.
    Client::Event next{.name = {}, .id = event_.id, .data = {}};
    const Client::Event event = std::exchange(event_, std::move(next));
    if (!std::exchange(has_data_, false)) return Verdict::go_on;
    return sink(event) ? Verdict::go_on : Verdict::stop;
  }
  const std::string_view field = rest.substr(0, rest.find(':'));
  std::string_view value = rest.substr(std::min(field.size() + 1, rest.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "data") {
    if (std::exchange(has_data_, true)) event_.data += '\n';
    event_.data += value;
  } else if (field == "event") {
    event_.name = value;
  } else if (field == "id" && value.find('\0') == value.npos) {
    event_.id = value;
  }
  return Verdict::go_on;
}

}  // namespace starling::http
