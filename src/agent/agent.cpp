#include "agent/agent.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "agent/settings/generation_store.hpp"
#include "agent/supervisor/keeper/kept_modules.hpp"
#include "agent/update/boot_guard.hpp"
#include "base/exit_status.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view log_level_key = "logger.level";
constexpr Milliseconds patience{30'000};  // with modules that have to end

JsonObject facts_of(const AgentOptions& options, const Board& board) {
  return {{"device_name", options.name},
          {"timezone", options.timezone},
          {"device_type", board.device_type},
          {"metadata", board.metadata}};
}

LinkTarget link_target(const AgentOptions& options, const Board& board) {
  LinkTarget target;
  target.hub = options.hub;
  target.trust.pins = options.pins;
  target.enrolment_key = options.enrolment_key;
  target.device_type = board.device_type;
  target.facts = facts_of(options, board);
  target.registration["current_version"] = STARLING_VERSION;
  if (!options.labels.empty()) target.registration["labels"] = options.labels;
  return target;
}

// An agent that died after it had left the mark has left its modules, too: none may write what is erased.
Result<void> finish_reset(const AgentOptions& options, const Clock& clock, Log& log) {
  const Logger logger(log, "agent");
  PosixDisk disk(options.state);
  if (!options.modules.empty() && disk.read_file(factory_reset_mark, 1024)) {
    auto ended = end_kept_modules(options.keeper_socket, options.state, clock, patience, logger);
    if (!ended) logger.error("the reset goes on all the same", {{"why", ended.error().message}});
  }
  return finish_factory_reset(disk, options.modules, logger);
}

struct ReleaseModules {
  fs::path folder;  // empty: the release that the generation names brings none, or there is none
  std::string version;
  fs::path python;  // its Python environment; empty: it has none
};

ReleaseModules modules_of_release(const fs::path& state, Disk& disk, const Clock& clock, Logger log) {
  GenerationStore store(disk, clock, log);
  for (const char* link : {"current", "confirmed"}) {
    const auto generation = store.peek(link);
    if (!generation || !*generation) continue;
    const auto& release = (*generation)->release;
    if (!release) return {};
    const fs::path folder = state / release_path(release->hash);
    const fs::path modules = folder / "payload/modules";
    const fs::path python = folder / environment_name;
    std::error_code unreadable;
    if (!fs::is_directory(modules, unreadable)) return {};
    return {modules, release->version, fs::is_directory(python, unreadable) ? python : fs::path()};
  }
  return {};
}

// The modules of which release were started last: those of another one do not live on under its names.
constexpr const char* started_modules_file = "started_modules_of";

std::string started_modules_of(const fs::path& state) {
  constexpr std::size_t longest_path = 4096;
  return read_file(state / started_modules_file, longest_path).value_or("");
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  const std::string bytes = random_bytes(sizeof(seed));
  __builtin_memcpy(&seed, bytes.data(), sizeof(seed));
  return seed;
}

}  // namespace

struct Agent::Timer {
  explicit Timer(const asio::any_io_executor& executor) : timer(executor) {}
  asio::steady_timer timer;
};

Result<std::unique_ptr<Agent>> Agent::load(const asio::any_io_executor& executor, const Clock& clock,
                                           Log& log, AgentOptions options, const Board& board) {
  if (!options.modules.empty() && options.keeper_socket.empty()) {
    return fail(ErrorCode::invalid_argument,
                "modules need the keeper to start them and to hold them while the agent is away: run "
                "'starling-keeper --state " +
                    options.state.string() + " -- starling-agent ...' with the agent's arguments");
  }
  if (auto made = make_folders(options.state, 0700); !made)
    return std::unexpected(wrongly_given(made.error()));
  auto lock = FileLock::acquire(options.state / "agent.lock");
  if (!lock) return fail(lock);
  if (auto reset = finish_reset(options, clock, log); !reset) return fail(reset);
  auto components = read_components(options.components, options.state);
  if (!components) return std::unexpected(wrongly_given(components.error()));
  for (const std::string& why : components->left_out)
    Logger(log, "agent").error("a component file is left out", {{"why", why}});
  std::unique_ptr<Agent> agent(
      new Agent(executor, clock, log, std::move(*lock), std::move(options), std::move(*components), board));
  if (auto loaded = agent->load_core(board); !loaded) return fail(loaded);
  return agent;
}

Agent::Agent(const asio::any_io_executor& executor, const Clock& clock, Log& log, FileLock lock,
             AgentOptions options, Components components, const Board& board)
    : clock_(clock),
      log_(log),
      lock_(std::move(lock)),
      options_(std::move(options)),
      components_(std::move(components)),
      disk_(options_.state),
      identity_maker_(clock),
      tasks_(executor, Logger(log, "agent")),
      timer_(std::make_unique<Timer>(executor)),
      link_driver_(executor, link_target(options_, board), *this, Logger(log, "link")),
      module_server_(executor, *this, Logger(log, "modules")),
      factory_reset_(disk_, [this] { restart(); }),
      updater_(executor, disk_, clock, *this, updater_options(), Logger(log, "software")),
      asset_downloader_(executor, disk_, *this, options_.hub, http::TlsTrust{options_.pins},
                        Logger(log, "assets")),
      override_watch_(
          executor,
          [this] {
            core_->settings().check_override();
            deadlines_changed();
          },
          Logger(log, "settings")) {
  if (!options_.modules.empty()) make_supervisor(executor, board);
}

Agent::~Agent() = default;

void Agent::make_supervisor(const asio::any_io_executor& executor, const Board& board) {
  SupervisorOptions options;
  options.modules = options_.modules;
  ReleaseModules brought = modules_of_release(options_.state, disk_, clock_, Logger(log_, "agent"));
  options.release_modules = std::move(brought.folder);
  options.release = std::move(brought.version);
  options.release_python = std::move(brought.python);
  options.state = options_.state;
  options.keeper_socket = options_.keeper_socket;
  options.module_socket = options_.state / "agent.sock";
  options.boot_id = board.boot_id;
  options.seed = random_seed();
  options.watchdog = options_.watchdog;
  end_modules_of_another(options.release_modules);
  supervisor_ = std::make_unique<Supervisor>(executor, clock_, log_, disk_, static_cast<Wakeup&>(*this),
                                             std::move(options));
  control_server_ = std::make_unique<ControlServer>(executor, *supervisor_, Logger(log_, "control"));
}

// The agent before this one has ended them, unless it was killed.
void Agent::end_modules_of_another(const fs::path& release_modules) {
  if (started_modules_of(options_.state) == release_modules.string()) return;
  const Logger log(log_, "agent");
  auto done = end_kept_modules(options_.keeper_socket, options_.state, clock_, patience, log);
  if (done) done = write_file_durably(options_.state / started_modules_file, release_modules.string(), 0600);
  if (!done) log.error("modules of another release may run on", {{"why", done.error().message}});
}

UpdaterOptions Agent::updater_options() {
  UpdaterOptions options;
  options.hub = options_.hub;
  options.trust.pins = options_.pins;
  options.root = options_.release_root;
  options.packages = options_.packages;
  options.architecture = machine_architecture();
  options.timezone = options_.timezone;
  options.state = options_.state;
  options.restart = [this] { begin_anew(); };
  options.modules = [this] { return supervisor_ ? supervisor_->statuses() : std::vector<ModuleStatus>(); };
  return options;
}

ActionRunners Agent::action_runners() {
  ActionRunners runners{{"factory_reset", &factory_reset_}};
  if (!supervisor_) return runners;
  module_command_ = std::make_unique<ModuleCommandRunner>(*supervisor_);
  collect_logs_ = std::make_unique<CollectLogsRunner>(*supervisor_);
  runners["module"] = module_command_.get();
  runners["collect_logs"] = collect_logs_.get();
  return runners;
}

Result<void> Agent::load_core(const Board& board) {
  DeviceOptions device;
  device.board_serial = board.serial;
  device.seed = random_seed();
  device.settings = options_.settings;
  device.settings.state_folder = fs::absolute(options_.state).lexically_normal().string();
  device.link.can_enrol = !options_.enrolment_key.empty();
  device.link.agent_version = STARLING_VERSION;
  device.link.boot_id = board.boot_id;
  device.link.capabilities = board.metadata;
  device.link.facts = facts_of(options_, board);
  device.link.first_backoff = options_.first_backoff;
  device.actions = action_runners();
  device.assets = &asset_downloader_;
  device.updates = &updater_;
  device.timing = &updater_;
  device.release_trial = options_.release_trial;
  device.left_out = components_.left_out;
  auto core = DeviceCore::load(disk_, clock_, components_.catalog, identity_maker_, link_driver_,
                               module_server_, std::move(device), &log_);
  if (!core) return fail(core);
  core_ = std::move(*core);
  link_driver_.attach(core_->link(), core_->identity());
  updater_.attach(*core_->updates(), core_->identity().device_id());
  asset_downloader_.attach(*core_->assets(), [this] { return core_->identity().token(); });
  if (!options_.keeper_socket.empty()) {
    const auto counts = read_file(options_.keeper_socket.parent_path() / "keeper.state", 4096);
    if (counts) core_->updates()->keeper_counts(parse_start_counts(*counts));
  }
  follow_log_level();
  follow_link_policy();
  if (supervisor_) {
    control_server_->tell_of(*core_->updates(), static_cast<Wakeup&>(*this));
    control_server_->tell_of(components_.left_out);
    if (auto loaded = supervisor_->load(*core_); !loaded) return loaded;
    supervisor_->observe([this] { updater_.modules_changed(); });
  }
  return module_server_.start(options_.state / "agent.sock", core_->modules());
}

// The level is one of the settings: it is in force as soon as it has changed.
void Agent::follow_log_level() {
  const auto follow = [this](const Values& values) {
    const auto value = values.find(log_level_key);
    if (value == values.end() || !value->second.is_string()) return;
    if (const auto level = parse_log_level(std::string_view(value->second.get_string())))
      log_.set_level(*level);
  };
  follow(core_->settings().values());
  core_->settings().subscriptions().subscribe(
      {std::string(log_level_key)}, [follow](const SettingsChange& change) { follow(change.values); });
}

// What a download may do is looked at anew.
void Agent::follow_link_policy() {
  core_->settings().subscriptions().subscribe({"updates"}, [this](const SettingsChange&) {
    core_->updates()->link_changed();
    deadlines_changed();
  });
}

Result<void> Agent::start(std::function<void(End)> ended) {
  ended_ = std::move(ended);
  const Logger log(log_, "agent");
  log.info("agent started", {{"device", core_->identity().device_id()},
                             {"version", STARLING_VERSION},
                             {"hub", options_.hub.origin()},
                             {"state", options_.state.string()}});
  if (auto watching = override_watch_.start(options_.state); !watching) {
    log.warning("hand edits of the override file are found at the next start only",
                {{"error", watching.error().message}});
  }
  if (supervisor_) {
    if (auto listening = control_server_->start(options_.state / ControlServer::socket_name); !listening) {
      return listening;
    }
    auto attaching = supervisor_->start([this] { ended_(End::for_good); });
    if (!attaching) return attaching;
  }
  core_->connect();
  tasks_.start("clock", run_clock());
  if (new_start_wanted_) begin_anew();
  return {};
}

asio::awaitable<void> Agent::stop() {
  stopping_ = true;
  co_await override_watch_.stop();
  co_await link_driver_.stop();
  co_await updater_.stop_all();
  co_await asset_downloader_.stop_all();
  if (supervisor_) {
    co_await control_server_->stop();
    co_await supervisor_->stop();
  }
  co_await module_server_.stop();
  co_await tasks_.stop();
  Logger(log_, "agent").info("agent stopped");
}

void Agent::restart() {
  if (!supervisor_) return ended_(End::for_a_new_start);
  supervisor_->shut_down([this] { ended_(End::for_a_new_start); });
}

void Agent::begin_anew() {
  new_start_wanted_ = !ended_;
  if (ended_) tasks_.start("new start", end_for_a_new_start());
}

// Not from within what wants it.
asio::awaitable<void> Agent::end_for_a_new_start() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  const fs::path next = modules_of_release(options_.state, disk_, clock_, Logger(log_, "agent")).folder;
  if (supervisor_ && next != started_modules_of(options_.state)) co_return restart();
  ended_(End::for_a_new_start);
}

void Agent::deadlines_changed() {
  timer_->timer.cancel();
}

asio::awaitable<void> Agent::run_clock() {
  // A timer runs on a clock that stands still during suspend: it is not trusted for long.
  constexpr auto longest = std::chrono::nanoseconds(Seconds(60));
  while (true) {
    auto next = core_->next_deadline();
    if (const auto other = supervisor_ ? supervisor_->next_deadline() : std::nullopt) {
      next = next ? std::min(*next, *other) : *other;
    }
    const auto wait =
        next ? std::clamp<std::chrono::nanoseconds>(*next - clock_.steady(), {}, longest) : longest;
    timer_->timer.expires_after(wait);
    const auto [error] = co_await timer_->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (stopping_) co_return;
    if (error) continue;
    core_->tick();
    if (supervisor_) supervisor_->tick();
  }
}

}  // namespace starling::agent
