#include "hub/webhooks/webhook_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/crypto.hpp"

namespace starling::hub {
namespace {

WebhookEvent event(const std::string& id, SteadyTime since = {}) {
  return {id, "{}", since};
}

// As Python's hmac has it.
TEST(Webhook, SignsAsStandardWebhooksDo) {
  const std::string secret = base64url_decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").value();
  EXPECT_EQ(webhook_signature(secret, "msg_1", 1614265330, R"({"test": 2432232314})"),
            "v1,9o7UeFkn1GjVbcY4emAJruJCYqgH2EIf8u/slvVRBZI=");
}

TEST(WebhookQueue, OneAtATimeAndInOrder) {
  WebhookQueue queue;
  const SteadyTime now{};
  EXPECT_EQ(queue.take(now), nullptr);
  queue.add(event("a"));
  queue.add(event("b"));
  ASSERT_NE(queue.take(now), nullptr);
  EXPECT_EQ(queue.take(now), nullptr) << "it is under way";
  queue.delivered();
  EXPECT_EQ(queue.take(now)->id, "b");
  queue.delivered();
  EXPECT_EQ(queue.size(), 0u);
}

TEST(WebhookQueue, WaitsLongerAfterEachFailureAndGivesUpAfterADay) {
  WebhookQueue queue;
  SteadyTime now{};
  queue.add(event("a", now));
  std::vector<std::int64_t> waits;
  for (bool goes_on = true; goes_on;) {
    const SteadyTime since = now;
    while (queue.take(now) == nullptr)
      now += Seconds(1);
    waits.push_back(std::chrono::duration_cast<Seconds>(now - since).count());
    goes_on = queue.failed(now, 0.5);
  }
  ASSERT_GE(waits.size(), 12u);
  EXPECT_EQ(std::vector(waits.begin(), waits.begin() + 5), (std::vector<std::int64_t>{0, 5, 10, 20, 40}));
  EXPECT_EQ(waits.back(), 3'600);
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_GE(now - SteadyTime(), WebhookQueue::longest);
}

TEST(WebhookQueue, TheOldestGoFirstWhenThereAreTooMany) {
  WebhookQueue queue;
  queue.add(event("first"));
  ASSERT_NE(queue.take({}), nullptr);
  for (std::size_t i = 1; i < WebhookQueue::max_events; ++i)
    EXPECT_FALSE(queue.add(event(std::to_string(i))));
  EXPECT_TRUE(queue.add(event("last")));
  EXPECT_EQ(queue.size(), WebhookQueue::max_events);
  queue.delivered();
  EXPECT_EQ(queue.take({})->id, "2") << "the one under way was not touched";
}

}  // namespace
}  // namespace starling::hub
