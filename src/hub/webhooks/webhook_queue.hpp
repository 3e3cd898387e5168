// Purpose: what one webhook is still to be told, and when it is tried next. Sans-I/O.
// Owner: Webhooks. Thread: the hub's. Lifetime: that of its owner; it is in memory alone.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/json.hpp"

namespace starling::hub {

// As Standard Webhooks has it (standardwebhooks.com): a receiver that has taken an id takes it for known.
struct WebhookEvent {
  std::string id;
  std::string body;  // {"type", "timestamp", "data"}
  SteadyTime since{};
};

// "v1,..." of the header webhook-signature; `secret` is raw bytes.
std::string webhook_signature(std::string_view secret, std::string_view id, std::int64_t timestamp_s,
                              std::string_view body);

class WebhookQueue {
 public:
  static constexpr std::size_t max_events = 256;
  static constexpr std::chrono::hours longest{24};

  // Gives whether the oldest had to go for it.
  bool add(WebhookEvent event);
  // The one to send now; nullptr if there is none, one is under way, or it is not time yet. In order.
  const WebhookEvent* take(SteadyTime now);
  // What came of it: taken there, never to be taken (410 Gone), or to be tried again, after 5 s, twice that
  // and so on up to an hour, each a fifth more or less by `chance` in [0, 1). False: it is given up, after a
  // day.
  void delivered();
  bool failed(SteadyTime now, double chance);
  std::size_t size() const { return events_.size(); }

 private:
  void drop();

  std::deque<WebhookEvent> events_;
  bool under_way_ = false;
  int failures_ = 0;
  SteadyTime next_{};
};

}  // namespace starling::hub
