#include "hub/api/log_access.hpp"

#include <fmt/format.h>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>

#include "hub/api/completion.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t kept_changes = 4096;
constexpr std::size_t replay_page = 500;

}  // namespace

struct LogAccess::Waiter {
  Waiter(std::string f, std::int64_t r, asio::steady_timer t, std::shared_ptr<Waiters> o)
      : fleet(std::move(f)), revision(r), timer(std::move(t)), others(std::move(o)) {
    others->insert(this);
  }
  ~Waiter() { others->erase(this); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  std::string fleet;
  std::int64_t revision;
  asio::steady_timer timer;
  std::shared_ptr<Waiters> others;
};

LogAccess::LogAccess(ChangeLog& log, asio::any_io_executor executor)
    : log_(log), executor_(std::move(executor)) {
  log_.observe(*this);
}

LogAccess::~LogAccess() {
  log_.stop_observing(*this);
}

asio::awaitable<Result<SharedChange>> LogAccess::append(std::string fleet, ChangeLog::Plan plan) {
  const auto begin = [&](auto done) { log_.append(fleet, std::move(plan), std::move(done)); };
  co_return co_await completion_of<Result<SharedChange>>(begin);
}

asio::awaitable<Result<std::vector<SharedChange>>> LogAccess::read_changes(ChangeQuery query) {
  const auto begin = [&](auto done) { log_.store().read_changes(std::move(query), std::move(done)); };
  co_return co_await completion_of<Result<std::vector<SharedChange>>>(begin);
}

asio::awaitable<Result<std::optional<Answer>>> LogAccess::find_answer(std::string fleet,
                                                                      std::string principal,
                                                                      std::string idempotency_id) {
  const auto begin = [&](auto done) {
    log_.store().find_answer(std::move(fleet), std::move(principal), std::move(idempotency_id),
                             std::move(done));
  };
  co_return co_await completion_of<Result<std::optional<Answer>>>(begin);
}

asio::awaitable<Result<std::vector<StoredActionResult>>> LogAccess::action_results(std::string fleet,
                                                                                   std::string action_id) {
  const auto begin = [&](auto done) {
    log_.store().read_action_results(std::move(fleet), std::move(action_id), std::move(done));
  };
  co_return co_await completion_of<Result<std::vector<StoredActionResult>>>(begin);
}

asio::awaitable<Result<SharedChange>> LogAccess::change(std::string fleet, std::int64_t revision) {
  if (const auto known = known_.find({fleet, revision}); known != known_.end()) co_return known->second;
  ChangeQuery query;
  query.fleet = fleet;
  query.since = revision - 1;
  query.until = revision;
  query.limit = 1;
  auto found = co_await read_changes(std::move(query));
  if (!found) co_return fail(found);
  if (found->empty()) {
    co_return fail(ErrorCode::not_found, fmt::format("fleet '{}' has no change {}", fleet, revision));
  }
  remember(found->front());
  co_return found->front();
}

asio::awaitable<Result<FleetState>> LogAccess::state_at(std::string fleet, std::int64_t revision) {
  const FleetState* now = log_.published(fleet);
  if (now == nullptr) co_return fail(ErrorCode::not_found, fmt::format("no fleet is called '{}'", fleet));
  if (revision > now->revision()) {
    co_return fail(ErrorCode::invalid_argument,
                   fmt::format("revision {} is in the future; the newest is {}", revision, now->revision()));
  }
  if (revision == now->revision()) co_return *now;
  FleetState state(fleet);
  while (state.revision() < revision) {
    ChangeQuery query;
    query.fleet = fleet;
    query.since = state.revision();
    query.until = revision;
    query.limit = replay_page;
    const auto page = co_await read_changes(std::move(query));
    if (!page) co_return fail(page);
    if (page->empty()) {
      co_return fail(ErrorCode::corrupted, fmt::format("the log of '{}' ends before {}", fleet, revision));
    }
    for (const SharedChange& change : *page) {
      if (auto applied = state.apply(*change); !applied) co_return fail(applied);
    }
  }
  co_return state;
}

asio::awaitable<Result<void>> LogAccess::published(std::string fleet, std::int64_t revision,
                                                   Milliseconds limit) {
  const FleetState* state = log_.published(fleet);
  if (state != nullptr && state->revision() < revision) {
    Waiter waiter(fleet, revision, asio::steady_timer(executor_, limit), waiters_);
    boost::system::error_code ended;
    auto wait = waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    co_await std::move(wait);
    state = log_.published(fleet);
  }
  if (state != nullptr && state->revision() >= revision) co_return Result<void>{};
  co_return fail(
      ErrorCode::unavailable,
      fmt::format("revision {} is not there yet; ask again later or without min_revision", revision));
}

asio::awaitable<void> LogAccess::yield() {
  auto turn = asio::post(executor_, asio::use_awaitable);
  co_await std::move(turn);
}

void LogAccess::on_change(const SharedChange& change, const FleetState& state) {
  remember(change);
  for (Waiter* waiter : *waiters_) {
    if (waiter->fleet == change->fleet && waiter->revision <= state.revision()) waiter->timer.cancel();
  }
}

void LogAccess::remember(const SharedChange& change) {
  const Place place{change->fleet, change->revision};
  if (!known_.emplace(place, change).second) return;
  known_order_.push_back(place);
  if (known_order_.size() <= kept_changes) return;
  known_.erase(known_order_.front());
  known_order_.pop_front();
}

}  // namespace starling::hub
