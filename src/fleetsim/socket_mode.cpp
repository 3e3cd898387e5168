#include "fleetsim/socket_mode.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "fleetsim/hub_api.hpp"

namespace starling::fleetsim {
namespace {

constexpr Milliseconds poll_interval{100};
constexpr std::size_t kept_contradictions = 20;

class SocketRun {
 public:
  SocketRun(asio::io_context& context, const SocketModeOptions& options, const Clock& clock, Log& log)
      : context_(context),
        options_(options),
        clock_(clock),
        log_(log, "fleetsim"),
        tasks_(context.get_executor(), log_),
        api_(context.get_executor(), options.hub) {}

  void start() { tasks_.start("socket run", run()); }
  Result<SocketModeReport> result() && { return std::move(*result_); }

 private:
  asio::awaitable<void> run() {
    result_ = co_await simulate();
    if (fleet_) co_await fleet_->stop();
  }

  asio::awaitable<Result<SocketModeReport>> simulate() {
    Result<protocol::Catalog> catalog = co_await api_.catalog();
    if (!catalog) co_return fail(catalog, "reading the components");
    catalog_ = std::move(*catalog);
    fleet_ = std::make_unique<SocketFleet>(context_.get_executor(), clock_, options_.hub, catalog_, log_);
    const SteadyTime begun = clock_.steady();
    if (const auto started = fleet_->start(options_.devices); !started) co_return fail(started);
    report_.devices = options_.devices;
    co_await wait_connected(begun);
    if (const auto changed = co_await make_changes(); !changed) co_return fail(changed);
    const SteadyTime last_change = clock_.steady();
    if (const auto settled = co_await wait_settled(last_change); !settled) co_return fail(settled);
    co_return report_;
  }

  asio::awaitable<void> pause(Milliseconds time) {
    asio::steady_timer timer(context_, time);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }

  Milliseconds since(SteadyTime time) const {
    return std::chrono::duration_cast<Milliseconds>(clock_.steady() - time);
  }

  asio::awaitable<void> wait_connected(SteadyTime begun) {
    while (fleet_->connected() < options_.devices && since(begun) < options_.connect_limit) {
      co_await pause(poll_interval);
    }
    report_.connected_after = since(begun);
    log_.info("devices connected", {{"connected", fleet_->connected()},
                                    {"devices", options_.devices},
                                    {"after_ms", report_.connected_after.count()}});
    if (fleet_->connected() < options_.devices) {
      log_.warning("not all devices could connect", {{"last_failure", fleet_->last_failure()}});
    }
  }

  asio::awaitable<Result<void>> make_changes() {
    const SteadyTime begun = clock_.steady();
    if (options_.changes_per_second <= 0) {
      co_await pause(options_.duration);
      co_return Result<void>();
    }
    const auto interval = std::chrono::duration<double>(1 / options_.changes_per_second);
    while (since(begun) < options_.duration) {
      // Another value each time, also between runs.
      const double value =
          0.25 + static_cast<double>(clock_.wall().time_since_epoch().count() % 5'000'000) / 1e7;
      const Result<std::int64_t> revision = co_await api_.change_threshold(value);
      if (!revision) co_return fail(revision);
      ++report_.changes;
      const auto due = begun + std::chrono::duration_cast<SteadyTime::duration>(
                                   interval * static_cast<double>(report_.changes));
      co_await pause(std::max(Milliseconds(0), std::chrono::ceil<Milliseconds>(due - clock_.steady())));
    }
    co_return Result<void>();
  }

  asio::awaitable<Result<void>> wait_settled(SteadyTime last_change) {
    while (true) {
      const Result<std::map<std::string, DeviceStanding>> standings = co_await api_.simulated_devices();
      if (!standings) co_return fail(standings);
      report_.settled_after = since(last_change);
      compare(*standings);
      if (report_.contradiction_count == 0 || since(last_change) > options_.settle_limit) {
        co_return Result<void>();
      }
      co_await pause(poll_interval);
    }
  }

  void compare(const std::map<std::string, DeviceStanding>& standings) {
    report_.connected = report_.in_sync = report_.refused = report_.contradiction_count = 0;
    report_.contradictions.clear();
    for (const auto& device : fleet_->devices()) {
      const std::string& id = device->core().identity().device_id();
      if (!device->core().link().established()) {
        contradict(id, "is not connected: " + fleet_->last_failure());
        continue;
      }
      ++report_.connected;
      const auto found = standings.find(id);
      if (found == standings.end()) {
        contradict(id, "is connected and not in the hub's list");
      } else {
        compare(id, device->core().settings().running_hash(), found->second);
      }
    }
  }

  // Reported is what the hub says that it runs; both must agree with the device itself.
  void compare(const std::string& id, const Digest& runs, const DeviceStanding& standing) {
    if (standing.running != runs) {
      contradict(id, "runs " + runs.hex() + ", the hub was told " + standing.running.hex());
    } else if (standing.desired == runs) {
      ++report_.in_sync;
    } else if (standing.status == "refused" && standing.errors > 0) {
      ++report_.refused;
    } else {
      contradict(id, "runs " + runs.hex() + ", the hub wants " + standing.desired.hex() + " (" +
                         standing.status + ")");
    }
  }

  void contradict(const std::string& id, std::string what) {
    ++report_.contradiction_count;
    if (report_.contradictions.size() < kept_contradictions) {
      report_.contradictions.push_back("device " + id + " " + std::move(what));
    }
  }

  asio::io_context& context_;
  const SocketModeOptions& options_;
  const Clock& clock_;
  Logger log_;
  protocol::Catalog catalog_;
  std::unique_ptr<SocketFleet> fleet_;
  SocketModeReport report_;
  std::optional<Result<SocketModeReport>> result_;
  TaskGroup tasks_;
  HubApi api_;
};

}  // namespace

Result<SocketModeReport> run_socket_mode(const SocketModeOptions& options, const Clock& clock, Log& log) {
  asio::io_context context(1);
  SocketRun run(context, options, clock, log);
  run.start();
  context.run();
  return std::move(run).result();
}

}  // namespace starling::fleetsim
