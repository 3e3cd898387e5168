#include "base/task_group.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

namespace starling {
namespace {

class TaskGroupTest : public testing::Test {
 protected:
  asio::awaitable<void> wait_for_ever() {
    ++begun_;
    asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    const Guard guard{*this};
    co_await timer.async_wait(asio::use_awaitable);
  }
  asio::awaitable<void> fall_over() {
    ++begun_;
    throw std::runtime_error("deliberate");
    co_return;
  }
  asio::awaitable<void> stop_and_count() {
    co_await group_.stop();
    ended_at_stop_ = ended_;
  }
  void run() {
    context_.restart();
    context_.run();
  }

  struct Guard {
    TaskGroupTest& test;
    ~Guard() { ++test.ended_; }
  };
  asio::io_context context_;
  TaskGroup group_{context_.get_executor(), Logger()};
  int begun_ = 0;
  int ended_ = 0;
  int ended_at_stop_ = -1;
};

TEST_F(TaskGroupTest, StopCancelsAllAndWaits) {
  group_.start("one", wait_for_ever());
  group_.start("two", wait_for_ever());
  context_.poll();
  EXPECT_EQ(begun_, 2);
  EXPECT_EQ(group_.running(), 2u);
  asio::co_spawn(context_, stop_and_count(), asio::detached);
  run();
  EXPECT_EQ(ended_at_stop_, 2);
  EXPECT_EQ(group_.running(), 0u);
}

TEST_F(TaskGroupTest, StopOfAnEmptyGroupCompletes) {
  asio::co_spawn(context_, stop_and_count(), asio::detached);
  run();
  EXPECT_EQ(ended_at_stop_, 0);
}

TEST_F(TaskGroupTest, NothingStartsAfterStop) {
  asio::co_spawn(context_, stop_and_count(), asio::detached);
  run();
  group_.start("late", wait_for_ever());
  run();
  EXPECT_EQ(begun_, 0);
  EXPECT_EQ(group_.running(), 0u);
}

TEST_F(TaskGroupTest, AnExceptionEndsOnlyItsTask) {
  group_.start("falls", fall_over());
  group_.start("stays", wait_for_ever());
  context_.poll();
  EXPECT_EQ(group_.running(), 1u);
  asio::co_spawn(context_, stop_and_count(), asio::detached);
  run();
  EXPECT_EQ(ended_at_stop_, 1);
}

}  // namespace
}  // namespace starling
