#include "agent/supervisor/folders/arriving_folders.hpp"

#include <algorithm>
#include <utility>

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr int most_entries = 4096;  // that are looked at

}  // namespace

void ArrivingFolders::came(std::string_view name) {
  note(name, true);
}

void ArrivingFolders::changed(std::string_view name) {
  note(name, false);
}

void ArrivingFolders::note(std::string_view name, bool whole) {
  const SteadyTime now = clock_.steady();
  Arriving& one = arriving_.try_emplace(std::string(name), Arriving{.since = now}).first->second;
  one.whole |= whole;
  one.changed = now;
  one.look_at = std::min(now + quiet, one.since + (one.whole ? patience : impatience));
}

void ArrivingFolders::went(std::string_view name) {
  if (const auto one = arriving_.find(name); one != arriving_.end()) arriving_.erase(one);
}

std::vector<std::string> ArrivingFolders::take_arrived() {
  const SteadyTime now = clock_.steady();
  std::vector<std::string> arrived;
  bool looked = false;
  for (auto& [name, one] : arriving_) {
    if (now < one.look_at || (one.whole && std::exchange(looked, true))) continue;
    if (has_arrived(name, one, now)) arrived.push_back(name);
  }
  for (const std::string& name : arrived)
    arriving_.erase(name);
  return arrived;
}

bool ArrivingFolders::has_arrived(const std::string& name, Arriving& one, SteadyTime now) const {
  if (!one.whole || now >= one.since + patience) return true;
  one.look_at = now + quiet;
  const Digest before = std::exchange(one.seen, look(name));
  if (before != one.seen) {
    one.changed = now;
    return false;
  }
  return now >= one.changed + incomplete || complete_(name);
}

std::optional<SteadyTime> ArrivingFolders::next_deadline() const {
  std::optional<SteadyTime> next;
  for (const auto& [name, one] : arriving_)
    next = next ? std::min(*next, one.look_at) : one.look_at;
  return next;
}

// Names, sizes and times: what a copy that goes on changes.
Digest ArrivingFolders::look(const std::string& name) const {
  std::string text;
  int entries = 0;
  std::error_code end, unknown;
  auto entry = fs::recursive_directory_iterator(all_ / name, end);
  for (; !end && entry != fs::recursive_directory_iterator() && ++entries < most_entries;
       entry.increment(end)) {
    const auto size = entry->is_regular_file(unknown) ? entry->file_size(unknown) : 0;
    const auto changed = entry->last_write_time(unknown).time_since_epoch().count();
    text += entry->path().string() + '\0' + std::to_string(size) + ' ' + std::to_string(changed) + '\0';
  }
  return sha256(text);
}

}  // namespace starling::agent
