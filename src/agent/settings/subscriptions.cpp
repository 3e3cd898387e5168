#include "agent/settings/subscriptions.hpp"

#include <algorithm>

#include "protocol/component.hpp"

namespace starling::agent {

bool named_by(std::string_view key, std::span<const std::string> names) {
  const std::string_view component = protocol::component_of(key);
  return std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return name == key || name == component; });
}

Subscriptions::Id Subscriptions::subscribe(std::vector<std::string> keys, Callback callback) {
  const Id id{next_id_++};
  subscriptions_.push_back({id, std::move(keys), std::move(callback)});
  return id;
}

void Subscriptions::unsubscribe(Id id) {
  const auto found = std::find_if(subscriptions_.begin(), subscriptions_.end(),
                                  [&](const Subscription& subscription) { return subscription.id == id; });
  if (found == subscriptions_.end()) return;
  if (notifying_ > 0) {
    found->callback = nullptr;
  } else {
    subscriptions_.erase(found);
  }
}

void Subscriptions::notify(std::int64_t revision, const Values& values,
                           std::span<const std::string> changed) {
  ++notifying_;
  const std::size_t count = subscriptions_.size();  // one that joins in a callback hears the next change
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::string> named;
    for (const std::string& key : changed) {
      if (named_by(key, subscriptions_[i].keys)) named.push_back(key);
    }
    if (named.empty() || !subscriptions_[i].callback) continue;
    const Callback callback = subscriptions_[i].callback;  // the vector may move while it runs
    callback({revision, values, named});
  }
  if (--notifying_ == 0) {
    std::erase_if(subscriptions_, [](const Subscription& subscription) { return !subscription.callback; });
  }
}

}  // namespace starling::agent
