#include "hub/webhooks/webhook_queue.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/crypto.hpp"
#include "base/hmac.hpp"

namespace starling::hub {

namespace {

constexpr Milliseconds first_delay{5'000};
constexpr Milliseconds longest_delay = std::chrono::hours(1);
constexpr int doublings = 10;  // beyond longest_delay

}  // namespace

std::string webhook_signature(std::string_view secret, std::string_view id, std::int64_t timestamp_s,
                              std::string_view body) {
  return "v1," + base64_encode(hmac_sha256(secret, fmt::format("{}.{}.{}", id, timestamp_s, body)));
}

bool WebhookQueue::add(WebhookEvent event) {
  const bool full = events_.size() >= max_events;
  if (full) events_.erase(events_.begin() + (under_way_ ? 1 : 0));
  events_.push_back(std::move(event));
  return full;
}

const WebhookEvent* WebhookQueue::take(SteadyTime now) {
  if (events_.empty() || under_way_ || now < next_) return nullptr;
  under_way_ = true;
  return &events_.front();
}

void WebhookQueue::drop() {
  events_.pop_front();
  under_way_ = false;
  failures_ = 0;
  next_ = {};
}

void WebhookQueue::delivered() {
  drop();
}

bool WebhookQueue::failed(SteadyTime now, double chance) {
  if (now - events_.front().since >= longest) {
    drop();
    return false;
  }
  under_way_ = false;
  const Milliseconds delay = std::min(first_delay * (1 << std::min(failures_, doublings)), longest_delay);
  ++failures_;
  next_ = now +
          Milliseconds(static_cast<std::int64_t>(static_cast<double>(delay.count()) * (0.8 + 0.4 * chance)));
  return true;
}

}  // namespace starling::hub
