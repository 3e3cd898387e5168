#include "protocol/timing_policy.hpp"

#include <gtest/gtest.h>

#include "base/rfc3339.hpp"

namespace starling::protocol {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

TEST(TimingPolicy, IsReadWithItsDefaults) {
  using Type = TimingPolicy::Type;
  const auto time = parse_rfc3339("2026-12-01T08:00:00Z");
  const struct {
    std::string_view text;
    TimingPolicy policy;
  } cases[] = {
      {R"({"version":"v1","type":"scheduled"})",
       {"v1", Type::scheduled, hours(2), minutes(120), {}, {}, false}},
      {R"({"version":"v1","type":"scheduled","at":"23:45","window_minutes":30,"deadline_hours":72})",
       {"v1", Type::scheduled, hours(23) + minutes(45), minutes(30), {}, hours(72), false}},
      {R"({"version":"v1","type":"scheduled","not_before":"2026-12-01T09:00:00+01:00"})",
       {"v1", Type::scheduled, {}, minutes(120), time, {}, false}},
      {R"({"version":"v1","type":"urgent"})", {"v1", Type::urgent, {}, minutes(120), {}, hours(24), false}},
      {R"({"version":"v1","type":"urgent","now":true,"at":null,"from":"a newer hub"})",
       {"v1", Type::urgent, {}, minutes(120), {}, hours(24), true}},
  };
  for (const auto& each : cases) {
    const auto policy = parse_timing_policy(each.text);
    ASSERT_TRUE(policy) << each.text << ": " << policy.error().message;
    EXPECT_EQ(*policy, each.policy) << each.text;
    EXPECT_EQ(parse_timing_policy(to_text(*policy)).value(), *policy) << to_text(*policy);
  }
}

TEST(TimingPolicy, SaysWhichFieldIsWrong) {
  const struct {
    std::string_view text, field;
  } cases[] = {
      {R"({"type":"scheduled"})", "/version"},
      {R"({"version":"","type":"scheduled"})", "/version"},
      {R"({"version":"v1"})", "/type"},
      {R"({"version":"v1","type":"soon"})", "/type"},
      {R"({"version":"v1","type":"scheduled","at":"24:00"})", "/at"},
      {R"({"version":"v1","type":"scheduled","at":"02:60"})", "/at"},
      {R"({"version":"v1","type":"scheduled","at":"2:00"})", "/at"},
      {R"({"version":"v1","type":"scheduled","at":200})", "/at"},
      {R"({"version":"v1","type":"scheduled","window_minutes":0})", "/window_minutes"},
      {R"({"version":"v1","type":"scheduled","window_minutes":1441})", "/window_minutes"},
      {R"({"version":"v1","type":"scheduled","not_before":"tomorrow"})", "/not_before"},
      {R"({"version":"v1","type":"scheduled","not_before":"1999-01-01T00:00:00Z"})", "/not_before"},
      {R"({"version":"v1","type":"scheduled","not_before":"9999-12-31T23:00:00-23:59"})", "/not_before"},
      {R"({"version":"v1","type":"urgent","deadline_hours":0})", "/deadline_hours"},
      {R"({"version":"v1","type":"urgent","deadline_hours":9000})", "/deadline_hours"},
      {R"({"version":"v1","type":"urgent","now":1})", "/now"},
  };
  for (const auto& each : cases) {
    const auto policy = parse_timing_policy(each.text);
    ASSERT_FALSE(policy) << each.text;
    EXPECT_EQ(policy.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(policy.error().field, each.field) << each.text;
  }
  EXPECT_EQ(parse_timing_policy("[]").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(parse_timing_policy(std::string(5000, ' ')).error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace starling::protocol
