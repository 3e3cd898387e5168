#include "agent/supervisor/logs/module_log.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable_text.hpp"

namespace starling::agent {

std::string_view to_string(LogStream stream) {
  switch (stream) {
    case LogStream::out: return "out";
    case LogStream::err: return "err";
    case LogStream::note: break;
  }
  return "note";
}

ModuleLog::ModuleLog(const Clock& clock, std::filesystem::path file, ModuleLogLimits limits)
    : clock_(clock),
      limits_(limits),
      rate_{static_cast<double>(limits.bytes_per_second), static_cast<double>(limits.burst_bytes)},
      file_(std::move(file), limits.file_bytes, limits.files),
      bucket_(rate_, clock.steady()) {}

void ModuleLog::begin_run(std::uint64_t run) {
  if (run <= run_) return;
  run_ = run;
  ended(LogStream::out);
  ended(LogStream::err);
  kept_.clear();
}

void ModuleLog::bytes(LogStream stream, std::string_view piece) {
  split(stream, piece);
  write();
}

void ModuleLog::split(LogStream stream, std::string_view piece) {
  Partial& partial = partial_[stream == LogStream::err ? 1 : 0];
  while (!piece.empty()) {
    const auto end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    piece.remove_prefix(end == std::string_view::npos ? piece.size() : end + 1);
    if (partial.cutting) {
      partial.cut_bytes += part.size();
    } else {
      const std::size_t fits = std::min(part.size(), limits_.line_bytes - partial.text.size());
      partial.text.append(part.substr(0, fits));
      if (fits < part.size()) {  // shown at once: its end may never come
        line(stream, partial.text + " [cut]");
        partial = {{}, part.size() - fits, true};
      }
    }
    if (end == std::string_view::npos) continue;
    if (partial.cutting) {
      end_of_cut(partial);
    } else {
      line(stream, partial.text);
      partial.text.clear();
    }
  }
}

void ModuleLog::ended(LogStream stream) {
  Partial& partial = partial_[stream == LogStream::err ? 1 : 0];
  if (partial.cutting) end_of_cut(partial);
  if (!partial.text.empty()) line(stream, partial.text);
  partial = {};
  write();
}

void ModuleLog::end_of_cut(Partial& partial) {
  note(
      fmt::format("{} more bytes of this line were cut; {} are kept", partial.cut_bytes, limits_.line_bytes));
  partial = {};
}

void ModuleLog::line(LogStream stream, std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  const SteadyTime now = clock_.steady();
  // Once lines are left out, they are so until there is room again for a good piece, not for every tenth
  // line.
  const std::size_t size = text.size() + 1;
  const bool room = dropped_lines_ == 0 || bucket_.left(rate_, now) >= rate_.burst / 16;
  if (!room || !bucket_.take_all(rate_, now, static_cast<double>(size))) {
    ++dropped_lines_;
    dropped_bytes_ += size;
    return;
  }
  tell_dropped();
  const std::string printable = printable_text(text, limits_.line_bytes + 16);
  kept_.push_back(printable_text(printable, kept_line_bytes));
  if (kept_.size() > kept_lines) kept_.pop_front();
  keep(stream, printable);
}

void ModuleLog::note(std::string text) {
  if (dropped_lines_ == 0) keep(LogStream::note, text);
}

void ModuleLog::tell_dropped() {
  if (dropped_lines_ == 0) return;
  const std::string text = fmt::format("{} lines ({} bytes) were left out: more than {} bytes a second",
                                       dropped_lines_, dropped_bytes_, limits_.bytes_per_second);
  dropped_lines_ = dropped_bytes_ = 0;
  keep(LogStream::note, text);
}

void ModuleLog::keep(LogStream stream, std::string_view printable) {
  const WallTime now = clock_.wall();
  fmt::format_to(std::back_inserter(pending_), "{} {} {}\n", to_rfc3339(now), to_string(stream), printable);
  // A follower may end itself while it is called.
  for (auto next = followers_.begin(); next != followers_.end();) {
    const auto follower = next++;
    const Follower call = follower->second;
    call(now, stream, printable);
  }
}

void ModuleLog::write() {
  if (pending_.empty()) return;
  if (lost_bytes_ > 0) {
    const std::string text = fmt::format("{} {} {} bytes are missing here: they could not be written\n",
                                         to_rfc3339(clock_.wall()), to_string(LogStream::note), lost_bytes_);
    if (file_.append(text)) lost_bytes_ = 0;
  }
  if (lost_bytes_ > 0 || !file_.append(pending_)) lost_bytes_ += pending_.size();
  pending_.clear();
  constexpr std::size_t usual = 4 * 1024;
  if (pending_.capacity() > usual) pending_.shrink_to_fit();
}

Result<std::uint32_t> ModuleLog::follow(Follower follower) {
  if (followers_.size() >= max_followers)
    return fail(ErrorCode::rate_limited, "too many are following this log already; end one of them");
  followers_.emplace(next_follower_, std::move(follower));
  return next_follower_++;
}

std::vector<std::string> ModuleLog::tail_lines(std::size_t count) const {
  constexpr std::size_t most_bytes = 256 * 1024;
  const std::string text = tail(most_bytes);
  std::string_view rest = text;
  std::vector<std::string> lines;
  while (!rest.empty() && lines.size() < count) {
    if (rest.ends_with('\n')) rest.remove_suffix(1);
    const auto begin = rest.rfind('\n') + 1;  // npos + 1 is 0
    lines.emplace_back(rest.substr(begin));
    rest = rest.substr(0, begin);
  }
  std::ranges::reverse(lines);
  return lines;
}

}  // namespace starling::agent
