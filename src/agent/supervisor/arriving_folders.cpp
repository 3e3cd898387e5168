#include "agent/supervisor/arriving_folders.hpp"

#include <algorithm>
#include <utility>

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr int most_entries = 512;  // that are looked at, of one folder
constexpr int deepest = 1;         // below it: there may be a whole Python environment

}  // namespace

void ArrivingFolders::came(std::string_view name) {
  const SteadyTime now = clock_.steady();
  Arriving& one = arriving_.try_emplace(std::string(name), Arriving{now, now, {}}).first->second;
  one.look_at = std::min(now + quiet, one.since + patience);
  one.seen = look(std::string(name));
}

void ArrivingFolders::went(std::string_view name) {
  if (const auto one = arriving_.find(name); one != arriving_.end()) arriving_.erase(one);
}

std::vector<std::string> ArrivingFolders::take_arrived() {
  const SteadyTime now = clock_.steady();
  std::vector<std::string> arrived;
  for (auto& [name, one] : arriving_) {
    if (now < one.look_at) continue;
    const Digest before = std::exchange(one.seen, look(name));
    one.look_at = now + quiet;
    if (before == one.seen || now >= one.since + patience) arrived.push_back(name);
  }
  for (const std::string& name : arrived)
    arriving_.erase(name);
  return arrived;
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
    if (entry.depth() >= deepest) entry.disable_recursion_pending();
    const auto size = entry->is_regular_file(unknown) ? entry->file_size(unknown) : 0;
    const auto changed = entry->last_write_time(unknown).time_since_epoch().count();
    text += entry->path().string() + '\0' + std::to_string(size) + ' ' + std::to_string(changed) + '\0';
  }
  return sha256(text);
}

}  // namespace starling::agent
