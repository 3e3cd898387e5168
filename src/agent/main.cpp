// The agent of a device: parses the command line, wires, waits for a signal.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>

#include "agent/agent.hpp"
#include "agent/control/ctl.hpp"
#include "agent/local_timezone.hpp"
#include "agent/update/launch.hpp"
#include "base/exit_status.hpp"
#include "base/json_folder.hpp"
#include "base/key_file.hpp"
#include "base/timezone.hpp"

namespace {

using namespace starling;

struct CommandLine {
  std::string state, hub, key, key_file, name, timezone, modules, components, release_root, packages,
      log_format = "auto";
  std::vector<std::string> pins, labels;
  std::int64_t release_trial_seconds = 60;
  std::int64_t watchdog_seconds = std::chrono::floor<Seconds>(agent::silence_of_a_hang).count();
};

constexpr std::string_view what_to_do =
    "; `starling key create NAME --enrolment --to FILE` on the operator's machine makes one. "
    "A device that has enrolled needs none";

// A device that has enrolled works without its enrolment key, which may have been taken away since.
Result<std::string> key_in_file(const CommandLine& line, const Logger& log) {
  auto file = read_key_file(line.key_file);
  std::error_code unreadable;
  const bool enrolled =
      std::filesystem::exists(std::filesystem::path(line.state) / agent::Identity::token_path, unreadable);
  if (file && !file->warning.empty()) log.warning(file->warning);
  if (file) return std::move(file->key);
  if (!enrolled) {
    Error error = file.error().within("--key-file");
    error.message += what_to_do;
    return std::unexpected(std::move(error));
  }
  log.warning("no enrolment key, which a device that has enrolled can do without",
              {{"why", file.error().message}});
  return std::string();
}

Result<std::string> enrolment_key(const CommandLine& line, const Logger& log) {
  if (!line.key_file.empty()) return key_in_file(line, log);
  if (!line.key.empty()) {
    log.warning(
        "--key shows the enrolment key to everybody on this machine: prefer --key-file or "
        "STARLING_ENROLMENT_KEY");
    return line.key;
  }
  const char* from_environment = std::getenv("STARLING_ENROLMENT_KEY");
  return std::string(from_environment == nullptr ? "" : from_environment);
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

Result<std::string> timezone_of(const CommandLine& line) {
  if (line.timezone.empty()) {
    const char* tz = std::getenv("TZ");
    return agent::local_timezone(tz == nullptr ? "" : tz);
  }
  if (is_timezone(line.timezone)) return line.timezone;
  return fail(ErrorCode::invalid_argument,
              "--timezone: '" + line.timezone + "' is not the name of a time zone like Europe/Berlin");
}

Result<JsonObject> parse_labels(const std::vector<std::string>& labels) {
  JsonObject parsed;
  for (const std::string& label : labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorCode::invalid_argument, "--label " + label + ": write KEY=VALUE");
    }
    parsed[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return parsed;
}

std::filesystem::path keeper_socket() {
  const char* keeper = std::getenv("STARLING_KEEPER");
  return keeper == nullptr ? "" : keeper;
}

Result<agent::AgentOptions> options_of(const CommandLine& line, const Logger& log) {
  agent::AgentOptions options;
  auto hub = http::Url::parse(line.hub);
  if (!hub) return fail(hub, "--hub");
  auto key = enrolment_key(line, log);
  if (!key) return fail(key);
  auto components =
      line.components.empty() ? shipped_folder("components") : Result<std::filesystem::path>(line.components);
  if (!components) return std::unexpected(wrongly_given(components.error()).within("without --components"));
  auto timezone = timezone_of(line);
  if (!timezone) return fail(timezone);
  auto labels = parse_labels(line.labels);
  if (!labels) return fail(labels);
  options.state = std::filesystem::absolute(line.state);
  options.components = std::move(*components);
  options.hub = std::move(*hub);
  for (const std::string& pin : line.pins) {
    if (!pin.starts_with("sha256/") || pin.size() != std::string_view("sha256/").size() + 44) {
      return fail(
          ErrorCode::invalid_argument,
          "--pin " + pin + ": a pin is sha256/ and 44 characters, as the hub printed it at its start");
    }
  }
  options.pins = line.pins;
  options.enrolment_key = std::move(*key);
  options.name = line.name.empty() ? host_name() : line.name;
  options.timezone = std::move(*timezone);
  options.labels = std::move(*labels);
  if (!line.modules.empty()) options.modules = std::filesystem::absolute(line.modules);
  options.keeper_socket = keeper_socket();
  options.release_root = line.release_root;
  options.packages = line.packages;
  options.release_trial = Seconds(line.release_trial_seconds);
  options.watchdog = Seconds(line.watchdog_seconds);
  return options;
}

int failed(const Error& error) {
  std::fprintf(stderr, "starling-agent: %s\n", error.message.c_str());
  return agent::status_here(exit_status_of(error));
}

using End = agent::Agent::End;

struct Outcome {
  int status = 0;
  End end = End::for_good;
};

asio::awaitable<void> run_until_signal(agent::Agent& agent, asio::signal_set& signals, Outcome& outcome) {
  const auto started = agent.start([&signals, &outcome](End end) {
    outcome.end = end;
    signals.cancel();
  });
  if (started) {
    const auto [cancelled, number] = co_await signals.async_wait(asio::as_tuple(asio::use_awaitable));
    (void)cancelled;
  } else {
    outcome.status = failed(started.error());
  }
  co_await agent.stop();
}

Outcome run(const CommandLine& line, char** argv) {
  const SystemClock clock;
  const LogFormat format = line.log_format == "text"   ? LogFormat::text
                           : line.log_format == "json" ? LogFormat::json
                                                       : LogFormat::automatic;
  Log log(clock, STDERR_FILENO, format);
  const bool speaks_to_keeper = !line.modules.empty();
  const agent::LaunchKeeper keeper{keeper_socket(), Seconds(speaks_to_keeper ? line.watchdog_seconds : 0)};
  agent::become_chosen_agent(std::filesystem::absolute(line.state), keeper, clock, log, argv);
  auto options = options_of(line, Logger(log, "agent"));
  if (!options) return {failed(options.error())};
  asio::io_context context(1);
  auto agent =
      agent::Agent::load(context.get_executor(), clock, log, std::move(*options), agent::read_board());
  if (!agent) return {failed(agent.error())};
  asio::signal_set signals(context, SIGINT, SIGTERM);
  Outcome outcome;
  asio::co_spawn(context, run_until_signal(**agent, signals, outcome), asio::detached);
  context.run();
  return outcome;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "ctl") return agent::run_ctl(argc - 1, argv + 1);
  CLI::App app("Makes this device what its hub wants it to be, and says what it did.", "starling-agent");
  CommandLine line;
  app.add_option("--state", line.state, "Folder for everything that the device keeps")->required();
  app.add_option("--hub", line.hub, "Address of the hub, https://HOST:PORT")
      ->required()
      ->envname("STARLING_HUB");
  app.add_option("--key", line.key, "Enrolment key; better in a file or in STARLING_ENROLMENT_KEY");
  app.add_option("--key-file", line.key_file, "File that holds the enrolment key");
  app.add_option("--pin", line.pins, "The hub's pin, sha256/...; may be given twice for a backup pin")
      ->delimiter(',')
      ->envname("STARLING_PIN");
  app.add_option("--name", line.name, "What people call the device; default: the host name");
  app.add_option("--timezone", line.timezone, "IANA name, Europe/Berlin; default: the machine's");
  app.add_option("--label", line.labels, "KEY=VALUE, set when the device enrols; may be repeated");
  app.add_option("--modules", line.modules,
                 "Folder of modules to run, which may come later; the agent has to be started by "
                 "starling-keeper then");
  app.add_option(
      "--components", line.components,
      "Folder of component files, instead of those that ship with the agent; STATE/components adds to them");
  app.add_option("--release-root", line.release_root,
                 "The fleet's root.json (starling keys init), by which releases are trusted; needed once")
      ->envname("STARLING_RELEASE_ROOT");
  app.add_option(
      "--packages", line.packages,
      "Folder in which starling-install answers, which installs Debian packages for releases; without it, "
      "a release that needs some is refused");
  app.add_option("--release-trial", line.release_trial_seconds,
                 "For how many seconds a new release has to work until it stays; default: 60")
      ->check(CLI::Range(1, 86'400));
  app.add_option("--watchdog", line.watchdog_seconds,
                 "With --modules: for how many seconds the agent may hang until starling-keeper ends it and "
                 "starts it again; default: 120, 0: for ever")
      ->check(CLI::Range(0, 86'400));
  app.add_option("--log-format", line.log_format, "text, json or auto")
      ->check(CLI::IsMember({"text", "json", "auto"}));
  app.set_version_flag("--version", STARLING_VERSION);
  app.footer("starling-agent ctl --help: what can be asked of the agent that runs on this device.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : agent::status_here(exit_usage);
  }
  const Outcome outcome = run(line, argv);
  if (outcome.end == End::for_good) return outcome.status;
  agent::become_installed_agent(argv);
  return failed({ErrorCode::io, "the agent cannot start anew; start it again", ""});
}
