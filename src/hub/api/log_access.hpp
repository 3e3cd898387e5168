// Purpose: the change log and the store as coroutines use them.
// Owner: Api. Thread: the hub's. Lifetime: outlives the handlers; the ChangeLog outlives it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hub/state/change_log.hpp"

namespace starling::hub {

namespace asio = boost::asio;

class LogAccess : public ChangeObserver {
 public:
  LogAccess(ChangeLog& log, asio::any_io_executor executor);
  ~LogAccess() override;

  asio::awaitable<Result<SharedChange>> append(std::string fleet, ChangeLog::Plan plan);
  asio::awaitable<Result<std::vector<SharedChange>>> read_changes(ChangeQuery query);
  asio::awaitable<Result<std::optional<Answer>>> find_answer(std::string fleet, std::string principal,
                                                             std::string idempotency_id);
  asio::awaitable<Result<std::vector<StoredActionResult>>> action_results(std::string fleet,
                                                                          std::string action_id);

  // One change, from memory if it was asked for lately. Errors: not_found, those of the store.
  asio::awaitable<Result<SharedChange>> change(std::string fleet, std::int64_t revision);

  // The whole state as it was at a revision, by replay of the log. Errors: invalid_argument (in the future),
  // those of the store.
  asio::awaitable<Result<FleetState>> state_at(std::string fleet, std::int64_t revision);

  // Waits until a revision is published. Errors: unavailable after `limit`.
  asio::awaitable<Result<void>> published(std::string fleet, std::int64_t revision, Milliseconds limit);

  // Lets everything else that is ready run first.
  asio::awaitable<void> yield();

  ChangeLog& log() { return log_; }
  const asio::any_io_executor& executor() const { return executor_; }

  void on_change(const SharedChange& change, const FleetState& state) override;

  std::size_t waiting() const { return waiters_->size(); }  // for a revision

 private:
  using Place = std::pair<std::string, std::int64_t>;  // fleet, revision
  struct Waiter;

  void remember(const SharedChange& change);

  ChangeLog& log_;
  asio::any_io_executor executor_;
  std::map<Place, SharedChange> known_;
  std::deque<Place> known_order_;
  // Each is in the frame of the coroutine that waits, and leaves when its wait ends, however it ends; frames
  // may be destroyed after this object.
  using Waiters = std::set<Waiter*>;
  std::shared_ptr<Waiters> waiters_ = std::make_shared<Waiters>();
};

}  // namespace starling::hub
