#include "hub/releases/repositories.hpp"

#include <boost/asio/post.hpp>
#include <utility>

#include "base/files.hpp"

namespace starling::hub {

namespace {

constexpr std::chrono::hours look_every{1};
constexpr std::chrono::hours alert_every{24};

}  // namespace

Repositories::Repositories(std::filesystem::path data, bool online_targets, Executor& executor,
                           const Clock& clock, Logger logger)
    : data_(std::move(data)),
      online_targets_(online_targets),
      executor_(executor),
      clock_(clock),
      logger_(logger),
      zips_(executor),
      encodings_(executor, clock, logger, {}) {}

Result<void> Repositories::open(const std::vector<std::string>& fleets) {
  if (online_targets_) {
    logger_.warning(
        "--online-targets: this hub signs releases by itself, so whoever breaks into it can publish one; "
        "keep "
        "the key for targets elsewhere when that matters");
  }
  for (const std::string& fleet : fleets) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(folder(fleet), ignored)) continue;
    std::filesystem::remove_all(folder(fleet) / "uploads", ignored);
    const auto opened = repository(fleet);
    if (!opened) return fail(opened, "the releases of fleet " + fleet);
    // The hub may have been off for longer than its signatures hold.
    if (const auto renewed = (*opened)->renew(clock_.wall()); !renewed) {
      logger_.error("the releases' metadata could not be signed anew",
                    {{"fleet", fleet}, {"why", renewed.error().message}});
    }
    views_[fleet] = (*opened)->view();
  }
  next_look_ = clock_.steady() + look_every;
  next_alert_ = clock_.steady();
  return {};
}

SharedView Repositories::view(std::string_view fleet) const {
  const auto found = views_.find(fleet);
  return found == views_.end() ? nullptr : found->second;
}

Result<std::filesystem::path> Repositories::uploads(std::string_view fleet) const {
  std::filesystem::path path = folder(fleet) / "uploads";
  if (auto made = make_folders(path, 0700); !made) return fail(made);
  return path;
}

void Repositories::stop() {
  stopping_.request_stop();
  zips_.stop();
}

void Repositories::perform(std::string fleet, Work work, Done done, Wait wait) {
  auto room = wait == Wait::if_room ? check_room() : Result<void>();
  if (room) return enqueue(std::move(fleet), std::move(work), std::move(done));
  executor_.post([done = std::move(done), room = std::move(room)] { done(room); });
}

Result<void> Repositories::check_room() const {
  if (waiting_ < max_waiting) return {};
  return fail(ErrorCode::unavailable, "too much is asked of the releases at once; try again soon");
}

void Repositories::enqueue(std::string fleet, Work work, Done done) {
  ++waiting_;
  auto job = [this, fleet = std::move(fleet), work = std::move(work), done = std::move(done),
              stop = stopping_.get_token()]() mutable {
    const auto opened = stop.stop_requested()
                            ? Result<Repository*>(fail(ErrorCode::unavailable, "the hub ends"))
                            : repository(fleet);
    auto outcome = opened ? work(**opened) : fail(opened);
    SharedView view = opened ? (*opened)->view() : nullptr;
    executor_.post([this, fleet = std::move(fleet), view = std::move(view), outcome = std::move(outcome),
                    done = std::move(done)]() mutable {
      --waiting_;
      if (view) views_[fleet] = std::move(view);
      done(std::move(outcome));
    });
  };
  boost::asio::post(worker_, std::move(job));
}

Result<Repository*> Repositories::repository(const std::string& fleet) {
  if (const auto found = repositories_.find(fleet); found != repositories_.end()) return &found->second;
  auto opened = Repository::open(folder(fleet), {.online_targets = online_targets_, .write = {}});
  if (!opened) return fail(opened);
  return &repositories_.emplace(fleet, std::move(*opened)).first->second;
}

void Repositories::renew(const std::string& fleet) {
  const auto work = [now = clock_.wall()](Repository& repository) { return repository.renew(now); };
  enqueue(fleet, work, [logger = logger_, fleet](const Result<void>& renewed) {
    if (renewed) return;
    logger.error("the releases' metadata could not be signed anew",
                 {{"fleet", fleet}, {"why", renewed.error().message}});
  });
}

void Repositories::say_alerts(const std::string& fleet, const RepositoryView& view) const {
  for (const std::string& alert : view.alerts(clock_.wall()))
    logger_.warning(alert, {{"fleet", fleet}});
}

void Repositories::tick() {
  const SteadyTime now = clock_.steady();
  if (now >= next_look_) {
    next_look_ = now + look_every;
    for (const auto& [fleet, view] : views_)
      renew(fleet);
  }
  if (now >= next_alert_) {
    next_alert_ = now + alert_every;
    for (const auto& [fleet, view] : views_)
      say_alerts(fleet, *view);
  }
}

}  // namespace starling::hub
