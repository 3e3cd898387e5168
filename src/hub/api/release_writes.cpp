#include "hub/api/release_writes.hpp"

#include "hub/api/completion.hpp"
#include "hub/releases/release_log.hpp"
#include "protocol/timing_policy.hpp"

namespace starling::hub {

Result<Repositories*> repositories_of(const Services& services) {
  if (services.repositories != nullptr) return services.repositories;
  return fail(ErrorCode::unavailable, "this hub keeps no releases");
}

asio::awaitable<Result<void>> perform(Services& services, std::string fleet, Repositories::Work work,
                                      Repositories::Wait wait) {
  const auto kept = repositories_of(services);
  if (!kept) co_return fail(kept);
  const auto begin = [&](auto done) {
    (*kept)->perform(std::move(fleet), std::move(work), std::move(done), wait);
  };
  co_return co_await completion_of<Result<void>>(begin);
}

asio::awaitable<Result<void>> change_releases(Services& services, const Call& call, Repositories::Work work,
                                              std::string action, std::string reason,
                                              Repositories::Wait wait) {
  const auto done = co_await perform(services, call.fleet_name, std::move(work), wait);
  if (!done) co_return fail(done);
  auto plan = releases_plan(services.repositories->view(call.fleet_name), call.actor(), std::move(action),
                            std::move(reason));
  const auto change = co_await services.log.append(call.fleet_name, std::move(plan));
  co_return change ? Result<void>() : fail(change);
}

asio::awaitable<Result<void>> schedule_release(Services& services, const Call& call, std::string version,
                                               JsonObject policy, std::string reason) {
  policy["version"] = version;
  // Devices refuse what they cannot read, and would wait for ever.
  if (auto readable = protocol::parse_timing_policy(boost::json::serialize(policy)); !readable)
    co_return fail(readable);
  Repositories::Work work = [version, policy = std::move(policy),
                             now = services.clock.wall()](Repository& repository) {
    return repository.set_schedule(version, policy, now);
  };
  co_return co_await change_releases(services, call, std::move(work), "release.schedule", std::move(reason));
}

}  // namespace starling::hub
