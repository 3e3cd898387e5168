#include "hub/rollouts/rollout_progress.hpp"

#include <algorithm>
#include <functional>

namespace starling::hub {
namespace {

constexpr std::size_t max_failure_print_bytes = 200;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_word(char c) {
  return is_hex(c) || (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z');
}

}  // namespace

StageCounts& StageCounts::operator+=(const StageCounts& other) {
  devices += other.devices;
  done += other.done;
  failed += other.failed;
  pending += other.pending;
  absent += other.absent;
  masked += other.masked;
  lacking += other.lacking;
  hindered += other.hindered;
  return *this;
}

JsonObject StageCounts::to_json() const {
  const auto number = [](std::size_t count) { return static_cast<std::int64_t>(count); };
  return {{"devices", number(devices)}, {"done", number(done)},        {"failed", number(failed)},
          {"pending", number(pending)}, {"absent", number(absent)},    {"masked", number(masked)},
          {"lacking", number(lacking)}, {"hindered", number(hindered)}};
}

std::string fingerprint(std::string_view reason) {
  std::string text;
  for (std::size_t i = 0; i < reason.size() && text.size() < max_failure_print_bytes;) {
    const char c = reason[i];
    if (c == '\'' || c == '"') {
      const std::size_t end = reason.find(c, i + 1);
      if (end != std::string_view::npos) {
        text += "'*'";
        i = end + 1;
        continue;
      }
    }
    if (!is_word(c)) {
      text += c;
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < reason.size() && is_word(reason[end]))
      ++end;
    const std::string_view word = reason.substr(i, end - i);
    if (std::ranges::none_of(word, is_digit)) {
      text += word;
    } else if (std::ranges::all_of(word, is_hex)) {
      text += '#';
    } else {  // a number within a name: "v1"
      for (const char each : word)
        if (!is_digit(each)) {
          text += each;
        } else if (!text.ends_with('#')) {
          text += '#';
        }
    }
    i = end;
  }
  return text;
}

void RolloutProgress::count(const Seen& seen, bool more) {
  StageCounts& stage = stages_[seen.stage];
  const auto add = [more](std::size_t& number) { more ? ++number : --number; };
  add(stage.devices);
  switch (seen.outcome.kind) {
    case Outcome::Kind::done: add(stage.done); break;
    case Outcome::Kind::failed: add(stage.failed); break;
    case Outcome::Kind::masked: add(stage.masked); break;
    case Outcome::Kind::lacking: add(stage.lacking); break;
    case Outcome::Kind::hindered: add(stage.hindered); break;
    case Outcome::Kind::none: add(seen.connected ? stage.pending : stage.absent); break;
  }
}

// What is said of a device that has no part in it is no reason to soak.
void RolloutProgress::note_outcome(const Seen& seen) {
  const Outcome& outcome = seen.outcome;
  if (outcome.kind != Outcome::Kind::done && outcome.kind != Outcome::Kind::failed) return;
  last_outcomes_[seen.stage] = std::max(last_outcomes_[seen.stage], outcome.at);
}

void RolloutProgress::put(const std::string& device, std::size_t stage, bool connected) {
  const auto [at, is_new] = devices_.try_emplace(device);
  if (!is_new) count(at->second, false);
  at->second.stage = stage;
  at->second.connected = connected;
  count(at->second, true);
  note_outcome(at->second);
}

void RolloutProgress::remove(const std::string& device) {
  const auto found = devices_.find(device);
  if (found == devices_.end()) return;
  count(found->second, false);
  devices_.erase(found);
}

void RolloutProgress::heard(const std::string& device, Outcome outcome) {
  const auto found = devices_.find(device);
  if (found == devices_.end()) return;
  count(found->second, false);
  found->second.outcome = std::move(outcome);
  count(found->second, true);
  note_outcome(found->second);
}

StageCounts RolloutProgress::counts(std::size_t open) const {
  StageCounts sum;
  for (std::size_t i = 0; i < open; ++i)
    sum += stages_[i];
  return sum;
}

WallTime RolloutProgress::last_outcome(std::size_t open) const {
  WallTime last{};
  for (std::size_t i = 0; i < open; ++i)
    last = std::max(last, last_outcomes_[i]);
  return last;
}

UnderWay RolloutProgress::under_way(std::size_t open) const {
  UnderWay sum;
  for (const auto& [device, seen] : devices_) {
    if (seen.stage >= open || seen.outcome.kind != Outcome::Kind::none) continue;
    sum.on_trial += seen.outcome.on_trial ? 1 : 0;
    const WallTime at = seen.outcome.switches_at;
    if (at == WallTime()) continue;
    sum.first_switch = sum.waiting == 0 ? at : std::min(sum.first_switch, at);
    sum.last_switch = std::max(sum.last_switch, at);
    ++sum.waiting;
  }
  return sum;
}

const Outcome* RolloutProgress::outcome(const std::string& device) const {
  const auto found = devices_.find(device);
  return found == devices_.end() ? nullptr : &found->second.outcome;
}

std::vector<FailureGroup> RolloutProgress::largest_failures(std::size_t most) const {
  std::vector<FailureGroup> groups;
  for (auto& [kind, group] : failures())
    groups.push_back(group);
  std::ranges::stable_sort(groups, std::greater<>(), &FailureGroup::devices);
  groups.resize(std::min(groups.size(), most));
  return groups;
}

std::map<std::string, FailureGroup> RolloutProgress::failures() const {
  std::map<std::string, FailureGroup> groups;
  for (const auto& [device, seen] : devices_) {
    if (seen.outcome.kind != Outcome::Kind::failed) continue;
    FailureGroup& group = groups[fingerprint(seen.outcome.reason)];
    ++group.devices;
    if (!group.device.empty() && group.device <= device) continue;  // the same one in every run
    group.device = device;
    group.example = seen.outcome.reason;
  }
  return groups;
}

}  // namespace starling::hub
