#include "base/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <list>

namespace starling {

struct TaskGroup::State {
  State(asio::any_io_executor e, Logger l)
      : executor(std::move(e)), log(l), all_ended(executor, asio::steady_timer::time_point::max()) {}

  asio::any_io_executor executor;
  Logger log;
  std::list<asio::cancellation_signal> tasks;
  asio::steady_timer all_ended;  // never expires: cancelled when the last task has ended
  bool stopping = false;
};

namespace {

void report(const Logger& log, std::string_view name, const std::exception_ptr& exception) {
  if (!exception) return;
  try {
    std::rethrow_exception(exception);
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return;  // cancelled: the ordinary end
    log.error("a task ended with an exception", {{"task", name}, {"error", error.what()}});
  } catch (const std::exception& error) {
    log.error("a task ended with an exception", {{"task", name}, {"error", error.what()}});
  } catch (...) {
    log.error("a task ended with an exception", {{"task", name}});
  }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor, Logger log)
    : state_(std::make_shared<State>(std::move(executor), log)) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::start(std::string_view name, asio::awaitable<void> task) {
  if (state_->stopping) return;
  const auto entry = state_->tasks.emplace(state_->tasks.end());
  auto ended = [state = state_, entry, name](const std::exception_ptr& exception) {
    report(state->log, name, exception);
    state->tasks.erase(entry);
    if (state->stopping && state->tasks.empty()) state->all_ended.cancel();
  };
  asio::co_spawn(state_->executor, std::move(task),
                 asio::bind_cancellation_slot(entry->slot(), std::move(ended)));
}

asio::awaitable<void> TaskGroup::stop() {
  const std::shared_ptr<State> state = state_;
  // The tasks must have ended before their owner goes, also when the coroutine that stops it is cancelled
  // itself.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  state->stopping = true;
  for (auto task = state->tasks.begin(); task != state->tasks.end();) {
    const auto current = task++;  // emitting may end the task, which erases its entry
    current->emit(asio::cancellation_type::terminal);
  }
  while (!state->tasks.empty())
    co_await state->all_ended.async_wait(asio::as_tuple(asio::use_awaitable));
  co_await asio::this_coro::throw_if_cancelled(throws);
}

std::size_t TaskGroup::running() const {
  return state_->tasks.size();
}

}  // namespace starling
