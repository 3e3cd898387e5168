#include "cli/log_place.hpp"

#include <utility>

#include "cli/answer.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t remembered = 64;

// It may have been made for this reader alone.
bool is_note(const JsonObject& line) {
  return text_at(line, {"stream"}) == "note";
}

}  // namespace

LogPlace::Lines LogPlace::take(JsonObject line) {
  const bool note = is_note(line);
  unplaced_.push_back(std::move(line));
  if (!searching_) return show_from(0);
  if (note || !ends_at(unplaced_.size(), 0)) return {};
  return show_from(unplaced_.size());
}

void LogPlace::begin_again() {
  unplaced_.clear();
  searching_ = !shown_.empty();
}

LogPlace::Settled LogPlace::settle() {
  for (std::size_t unseen = 0; unseen < shown_.size(); ++unseen) {
    for (std::size_t end = unplaced_.size(); end > 0; --end) {
      if (!is_note(unplaced_[end - 1]) && ends_at(end, unseen)) return {show_from(end)};
    }
  }
  return {show_from(0), true};
}

// Whether what came up to `end` is what was shown last, but for the newest `unseen` lines.
bool LogPlace::ends_at(std::size_t end, std::size_t unseen) const {
  std::size_t left = shown_.size() - unseen;
  while (end > 0 && left > 0) {
    const JsonObject& line = unplaced_[--end];
    if (!is_note(line) && line != shown_[--left]) return false;
  }
  return true;
}

LogPlace::Lines LogPlace::show_from(std::size_t begin) {
  searching_ = false;
  Lines all = std::exchange(unplaced_, {});
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(begin));
  for (const JsonObject& line : all) {
    if (is_note(line)) continue;
    shown_.push_back(line);
    if (shown_.size() > remembered) shown_.pop_front();
  }
  return all;
}

}  // namespace starling::cli
