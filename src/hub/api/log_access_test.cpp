#include "hub/api/log_access.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "hub/io_executor.hpp"
#include "hub/state/scripted_store.hpp"

namespace starling::hub {
namespace {

class LogAccessTest : public testing::Test {
 protected:
  LogAccessTest() { EXPECT_TRUE(log_.load(*store_.load())); }

  void wait(std::int64_t revision, Milliseconds limit) {
    asio::co_spawn(
        context_, access_.published("default", revision, limit),
        [this](const std::exception_ptr&, Result<void> outcome) { outcomes_.push_back(std::move(outcome)); });
    context_.restart();
    context_.poll();
  }

  asio::io_context context_;
  IoExecutor executor_{context_.get_executor()};
  ScriptedStore store_{executor_};
  ManualClock clock_;
  ChangeLog log_{store_, executor_, clock_, Logger()};
  LogAccess access_{log_, context_.get_executor()};
  std::vector<Result<void>> outcomes_;
};

TEST_F(LogAccessTest, WhoHasWaitedIsForgottenAlsoIfNothingEverChanges) {
  wait(5, Milliseconds(1));
  wait(6, Milliseconds(1));
  context_.restart();
  context_.run();
  ASSERT_EQ(outcomes_.size(), 2u);
  EXPECT_EQ(outcomes_[0].error().code, ErrorCode::unavailable);
  EXPECT_EQ(access_.waiting(), 0u);
}

TEST_F(LogAccessTest, AChangeWakesThoseWhoWaitForIt) {
  wait(1, std::chrono::hours(1));
  wait(2, std::chrono::hours(1));
  EXPECT_EQ(access_.waiting(), 2u);
  log_.append(
      "default",
      [](const FleetState& head, std::int64_t) -> Result<Draft> {
        Draft draft;
        draft.edits.push_back(head.edit(EntityKind::group, "g", Group().to_json()));
        return draft;
      },
      [](const Result<SharedChange>& change) { EXPECT_TRUE(change); });
  context_.restart();
  context_.poll();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_TRUE(outcomes_[0]);
  EXPECT_EQ(access_.waiting(), 1u);
}

}  // namespace
}  // namespace starling::hub
