// Purpose: tells parts of the agent about the settings that they named: once for each change of the running
// settings, and only if a value that they named is another one now.
// Owner: SettingsCore. Thread: one. Lifetime: the core's; a subscriber unsubscribes before it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "agent/settings/values.hpp"

namespace starling::agent {

struct SettingsChange {
  std::int64_t revision = 0;
  const Values& values;                  // all running settings
  std::span<const std::string> changed;  // of the keys that the subscriber named
};

class Subscriptions {
 public:
  using Callback = std::function<void(const SettingsChange&)>;
  enum class Id : std::uint32_t {};

  // `keys` are full keys, or a component's name for all of its settings.
  Id subscribe(std::vector<std::string> keys, Callback callback);
  // Also from within a callback, of itself or of another one, which then hears no more.
  void unsubscribe(Id id);

  void notify(std::int64_t revision, const Values& values, std::span<const std::string> changed);

 private:
  struct Subscription {
    Id id{};
    std::vector<std::string> keys;
    Callback callback;  // empty: unsubscribed while notifying
  };
  std::vector<Subscription> subscriptions_;
  std::uint32_t next_id_ = 1;
  int notifying_ = 0;
};

// True if `key` is one of `names` or belongs to a component among them.
bool named_by(std::string_view key, std::span<const std::string> names);

}  // namespace starling::agent
