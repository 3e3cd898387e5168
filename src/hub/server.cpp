#include "hub/server.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <optional>

#include "base/exit_status.hpp"
#include "base/files.hpp"
#include "base/json_folder.hpp"
#include "base/net/loopback.hpp"
#include "base/task_group.hpp"
#include "hub/api/log_access.hpp"
#include "hub/assets/asset_collector.hpp"
#include "hub/first_start.hpp"
#include "hub/io_executor.hpp"
#include "hub/releases/release_log.hpp"
#include "hub/releases/repositories.hpp"
#include "hub/store/sqlite/sqlite_store.hpp"
#include "hub/webhooks/webhooks.hpp"

namespace starling::hub {

// In order of dependence: what is below goes first.
struct Server::Running {
  Running(const ServerSettings& server_settings, const Clock& hub_clock, Log& hub_log)
      : settings(server_settings),
        clock(hub_clock),
        log(hub_log),
        logger(hub_log, "hub"),
        context(1),
        executor(context.get_executor()),
        over(context, asio::steady_timer::time_point::max()),
        signals(context) {}

  Result<void> open_store();
  Result<void> open_webhooks();
  asio::awaitable<void> live();
  asio::awaitable<Result<void>> begin();
  Result<protocol::Catalog> component_files() const;
  asio::awaitable<Result<void>> prepare_fleets();
  asio::awaitable<void> tick();
  asio::awaitable<void> watch_signals();
  asio::awaitable<void> end();
  void say_ready(const ServerTls& tls) const;

  const ServerSettings& settings;
  const Clock& clock;
  Log& log;
  Logger logger;
  asio::io_context context;
  IoExecutor executor;
  asio::steady_timer over;  // cancelled when it is time to stop
  bool stopping = false;
  asio::signal_set signals;
  std::unique_ptr<Store> store;
  std::unique_ptr<Hub> hub;
  std::unique_ptr<Repositories> repositories;
  std::unique_ptr<AssetFiles> assets;
  std::unique_ptr<AssetCollector> asset_collector;
  std::unique_ptr<Webhooks> webhooks;  // none: nobody is to be told
  std::unique_ptr<Api> api;
  std::unique_ptr<http::Server> http;
  std::unique_ptr<TaskGroup> tasks;
  std::function<void(std::uint16_t)> ready;
  Result<void> outcome;
};

Server::Server(ServerSettings settings, const Clock& clock, Log& log)
    : settings_(std::move(settings)),
      clock_(clock),
      log_(log),
      running_(std::make_unique<Running>(settings_, clock_, log_)) {}

Server::~Server() = default;

Result<void> Server::run(std::function<void(std::uint16_t port)> ready) {
  Running& running = *running_;
  running.ready = std::move(ready);
  if (auto opened = running.open_store(); !opened) return opened;
  TaskGroup main_task(running.context.get_executor(), running.logger);
  main_task.start("hub", running.live());
  running.context.run();
  return running.outcome;
}

void Server::stop() {
  asio::post(running_->context, [running = running_.get()] {
    running->stopping = true;
    running->over.cancel();
  });
}

Result<void> Server::Running::open_store() {
  if (auto made = make_folders(settings.data, 0700); !made)
    return std::unexpected(wrongly_given(made.error()));
  auto opened =
      SqliteStore::open(sqlite::DataFolder{settings.data, {}}, executor, clock, Logger(log, "store"));
  if (!opened) return fail(opened);
  store = std::move(*opened);
  hub = std::make_unique<Hub>(*store, executor, clock, &log, settings.sessions);
  if (auto loaded = hub->load(); !loaded) return loaded;
  hub->changes().add_fleet(std::string(default_fleet));
  Api::Options api_options = settings.api;
  api_options.listens_on_loopback = net::is_loopback(settings.host);
  repositories = std::make_unique<Repositories>(settings.data, settings.online_targets, executor, clock,
                                                Logger(log, "releases"));
  if (auto begun = repositories->open(hub->changes().fleets()); !begun) {
    return begun;
  }
  assets = std::make_unique<AssetFiles>(settings.data, executor);
  assets->forget_uploads(hub->changes().fleets());
  asset_collector = std::make_unique<AssetCollector>(hub->changes(), *assets, clock, Logger(log, "assets"));
  api = std::make_unique<Api>(context.get_executor(), *hub, executor, clock, Logger(log, "api"), api_options,
                              repositories.get(), assets.get());
  tasks = std::make_unique<TaskGroup>(context.get_executor(), logger);
  return open_webhooks();
}

Result<void> Server::Running::open_webhooks() {
  if (settings.webhooks.empty()) return {};
  auto secret = webhook_secret(settings.data);
  if (!secret) return fail(secret);
  Webhooks::Options options{{}, std::move(*secret)};
  for (const std::string& text : settings.webhooks) {
    auto url = http::Url::parse(text);
    if (!url || !text.starts_with("http"))
      return fail(ErrorCode::invalid_argument, fmt::format("--webhook '{}' is no http or https URL", text));
    options.urls.push_back(std::move(*url));
  }
  webhooks = std::make_unique<Webhooks>(*hub, context.get_executor(), *tasks, clock, Logger(log, "webhooks"),
                                        std::move(options));
  logger.info(
      "webhooks check what they get by a secret",
      {{"file", (settings.data / "webhook.secret").string()}, {"webhooks", settings.webhooks.size()}});
  return {};
}

asio::awaitable<void> Server::Running::live() {
  outcome = co_await begin();
  if (outcome) {
    if (settings.handle_signals) tasks->start("signals", watch_signals());
    tasks->start("tick", tick());
    api->set_ready(true);
    if (ready) ready(http->port());
    if (!stopping) {
      boost::system::error_code ended;
      auto wait = over.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      co_await std::move(wait);
    }
    logger.info("stopping");
  }
  co_await end();
}

Result<protocol::Catalog> Server::Running::component_files() const {
  const auto shipped = shipped_folder("components");
  if (!shipped) return std::unexpected(wrongly_given(shipped.error()));
  std::vector<std::filesystem::path> folders{*shipped};
  const auto own = settings.data / "components";
  if (std::filesystem::is_directory(own)) folders.push_back(own);
  if (!settings.components.empty()) folders.push_back(settings.components);
  const auto files = read_json_folders(folders);
  if (!files) return std::unexpected(wrongly_given(files.error()).within("component files"));
  auto catalog = protocol::catalog_of(*files);
  if (!catalog) return std::unexpected(wrongly_given(catalog.error()));
  return catalog;
}

asio::awaitable<Result<void>> Server::Running::prepare_fleets() {
  auto components = component_files();
  if (!components) co_return fail(components);
  LogAccess log_access(hub->changes(), context.get_executor());
  if (hub->changes().published(default_fleet)->keys().empty()) {
    auto key = first_admin_key(settings.data, settings.bootstrap_admin_key);
    if (!key) co_return fail(key);
    auto plan = admin_key_plan(std::move(*key), clock.wall().time_since_epoch().count());
    const auto change = co_await log_access.append(std::string(default_fleet), std::move(plan));
    if (!change) co_return fail(change, "saving the first admin key");
    if (settings.bootstrap_admin_key.empty()) {
      logger.info("the first admin key is in a file that only you can read",
                  {{"file", (settings.data / "admin.key").string()}});
    }
  }
  const std::vector<std::string> fleets = hub->changes().fleets();
  for (const std::string& fleet : fleets) {
    auto plan = components_plan(*components, logger);
    const auto change = co_await log_access.append(fleet, std::move(plan));
    if (!change) co_return fail(change, "saving the component files");
    if (*change)
      logger.info("component files were taken over", {{"fleet", fleet}, {"count", (*change)->edits.size()}});
    const SharedView view = repositories->view(fleet);
    if (!view) continue;
    // The hub may have died between publishing and recording.
    auto releases = releases_plan(view, {"hub", "hub"});
    const auto recorded = co_await log_access.append(fleet, std::move(releases));
    if (!recorded) co_return fail(recorded, "recording the releases");
  }
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Server::Running::begin() {
  auto prepared = co_await prepare_fleets();
  if (!prepared) co_return prepared;
  auto tls = prepare_tls(settings.tls, settings.data, settings.host);
  if (!tls) co_return fail(tls);
  http::ServerOptions options;
  options.host = settings.host;
  options.port = settings.port;
  options.tls = tls->identity;
  auto listening =
      http::Server::listen(context.get_executor(), clock, Logger(log, "http"), *api, std::move(options));
  if (!listening) co_return fail(listening);
  http = std::move(*listening);
  api->count_http_with([server = http.get()] { return server->counters(); });
  http->start();
  say_ready(*tls);
  co_return Result<void>{};
}

void Server::Running::say_ready(const ServerTls& tls) const {
  if (!tls.pin.empty()) {
    logger.info(
        "devices know this hub by its pin; give them both, the second is for the day the key is replaced",
        {{"pin", tls.pin}, {"backup_pin", tls.backup_pin}});
  } else if (!net::is_loopback(settings.host)) {
    logger.warning("serving in clear beyond loopback, as --insecure-listen asked for");
  }
  const bool v6 = settings.host.find(':') != std::string::npos && settings.host.front() != '[';
  logger.info("READY", {{"address", fmt::format("{}://{}{}{}:{}", tls.identity ? "https" : "http",
                                                v6 ? "[" : "", settings.host, v6 ? "]" : "", http->port())},
                        {"version", STARLING_VERSION},
                        {"data", settings.data.string()}});
}

asio::awaitable<void> Server::Running::tick() {
  asio::steady_timer timer(context);
  while (true) {
    timer.expires_after(Seconds(1));
    auto second = timer.async_wait(asio::use_awaitable);
    co_await std::move(second);
    hub->tick();
    api->tick();
    repositories->tick();
    asset_collector->tick();
    if (webhooks) webhooks->tick();
  }
}

asio::awaitable<void> Server::Running::watch_signals() {
  signals.add(SIGTERM);
  signals.add(SIGINT);
  boost::system::error_code ended;
  auto signal = signals.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  co_await std::move(signal);
  stopping = true;
  over.cancel();
}

asio::awaitable<void> Server::Running::end() {
  api->stop();
  hub->stop();
  repositories->stop();
  if (http) {
    auto closed = http->stop();
    co_await std::move(closed);
  }
  auto joined = tasks->stop();
  co_await std::move(joined);
  // Devices that left during the stop were last seen now.
  hub->records().flush_all();
  context.stop();
}

}  // namespace starling::hub
