#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "base/clock.hpp"
#include "base/exit_status.hpp"
#include "base/log.hpp"
#include "hub/assets/saved_assets.hpp"
#include "hub/releases/saved_releases.hpp"
#include "hub/saved_secrets.hpp"
#include "hub/server.hpp"
#include "hub/store/sqlite/backup.hpp"
#include "hub/tls_policy.hpp"

namespace {

using starling::hub::ServerSettings;

struct Arguments {
  ServerSettings settings;
  std::string listen = "127.0.0.1:8000";
  std::string tls = "auto";
  std::string log_level = "info";
  std::string log_format = "auto";
  double rate_limit = 10'000;
  std::int64_t heartbeat_seconds = 300;
  std::string backup_file;
  std::string restore_file;
  bool use_backup_key = false;
};

int complain(const starling::Error& error) {
  std::cerr << "starling-hub: " << error.message << '\n';
  return starling::exit_status_of(error);
}

// One descriptor for each device: takes what the system allows.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

starling::Result<void> parse_listen(Arguments& arguments) {
  const auto colon = arguments.listen.rfind(':');
  const std::string port = colon == std::string::npos ? arguments.listen : arguments.listen.substr(colon + 1);
  const bool digits =
      !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoi(port) > 65'535) {
    return starling::fail(
        starling::ErrorCode::invalid_argument,
        "--listen takes HOST:PORT, like 127.0.0.1:8000 or 0.0.0.0:8000; not '" + arguments.listen + "'");
  }
  arguments.settings.port = static_cast<std::uint16_t>(std::stoi(port));
  if (colon == std::string::npos) return {};
  std::string host = arguments.listen.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (!host.empty()) arguments.settings.host = host;
  return {};
}

void add_options(CLI::App& app, Arguments& arguments) {
  auto& settings = arguments.settings;
  app.set_version_flag("--version", STARLING_VERSION);
  app.add_option("--data", settings.data, "Folder of the database, keys and certificates; made if absent")
      ->required();
  app.add_option("--listen", arguments.listen, "HOST:PORT; port 0 takes a free one")->capture_default_str();
  app.add_option("--tls", arguments.tls,
                 "auto: TLS everywhere but on loopback, with a certificate of its own")
      ->check(CLI::IsMember({"auto", "off"}))
      ->capture_default_str();
  app.add_option("--tls-cert", settings.tls.certificate, "PEM file with your own certificate chain");
  app.add_option("--tls-key", settings.tls.private_key, "PEM file with its private key");
  app.add_flag("--insecure-listen", settings.tls.insecure_listen,
               "Serve in clear beyond loopback, for a TLS proxy in front of the hub");
  app.add_option("--components", settings.components, "A further folder of component files")
      ->check(CLI::ExistingDirectory);
  app.add_flag(
      "--online-targets", settings.online_targets,
      "Sign releases with a key on this hub, instead of drafts that operators sign; for trying things out");
  app.add_option(
         "--webhook", settings.webhooks,
         "Tell this URL of updates that failed and rollouts that stopped: signed JSON by POST; repeatable")
      ->type_name("URL")
      ->allow_extra_args(false);
  app.add_option("--rate-limit", arguments.rate_limit, "Requests a second for each API key; 0: no limit")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option(
         "--heartbeat", arguments.heartbeat_seconds,
         "How often devices say that they are alive; those that only use REST are offline after 2.5 times "
         "that")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_option("--log-level", arguments.log_level, "debug, info, warning or error")->capture_default_str();
  app.add_option("--log-format", arguments.log_format, "auto: text on a terminal, JSON otherwise")
      ->check(CLI::IsMember({"auto", "text", "json"}))
      ->capture_default_str();
  auto* backup = app.add_subcommand("backup",
                                    "Copy the database to FILE, releases to FILE.releases, assets to "
                                    "FILE.assets, and the hub's own keys to FILE.secrets, also while a hub "
                                    "runs; whoever has them can be this hub");
  backup->add_option("FILE", arguments.backup_file)->required();
  auto* restore = app.add_subcommand("restore",
                                     "Put a backup in the place of the database, as a new generation, and "
                                     "its keys in the place of the hub's own; releases and assets that are "
                                     "lost come back from it too");
  restore->add_option("FILE", arguments.restore_file)->required();
  app.add_subcommand("use-backup-key",
                     "Serve TLS with the backup key from the next start on; devices know its pin already")
      ->callback([&arguments] { arguments.use_backup_key = true; });
}

// The database first: what it speaks of is then among the files that are copied.
int back_up(const Arguments& arguments) {
  const auto& data = arguments.settings.data;
  const std::filesystem::path releases = starling::hub::saved_releases_of(arguments.backup_file);
  const std::filesystem::path assets = starling::hub::saved_assets_of(arguments.backup_file);
  const std::filesystem::path secrets = starling::hub::saved_secrets_of(arguments.backup_file);
  std::error_code ignored;
  for (const auto& saved : {releases, assets, secrets}) {
    if (!std::filesystem::exists(saved, ignored)) continue;
    return complain(
        {starling::ErrorCode::already_exists, saved.string() + " exists: choose another name", {}});
  }
  auto done = starling::hub::sqlite::back_up({data, {}}, arguments.backup_file);
  if (!done) return complain(done.error());
  done = starling::hub::back_up_releases(data, releases);
  if (done) done = starling::hub::back_up_assets(data, assets);
  if (done) done = starling::hub::back_up_secrets(data, secrets);
  if (!done) {
    std::filesystem::remove(arguments.backup_file, ignored);
    for (const auto& saved : {releases, assets, secrets})
      std::filesystem::remove_all(saved, ignored);
    return complain(done.error());
  }
  std::cout << "saved to " << arguments.backup_file << '\n';
  if (std::filesystem::exists(releases, ignored))
    std::cout << "releases and their keys are in " << releases.string() << '\n';
  if (std::filesystem::exists(assets, ignored))
    std::cout << "files of assets are in " << assets.string() << '\n';
  std::cout << "the hub's own keys are in " << secrets.string()
            << ": keep all of it together, and secret: whoever has it can be this hub\n";
  return 0;
}

// Nothing of DATA has changed before the backup has turned out to be good.
starling::Result<starling::hub::sqlite::Restored> put_database(const std::filesystem::path& file,
                                                               const std::filesystem::path& data) {
  auto ready = starling::hub::stage_releases(starling::hub::saved_releases_of(file), data);
  if (ready) ready = starling::hub::stage_secrets(starling::hub::saved_secrets_of(file), data);
  if (ready) ready = starling::hub::restore_assets(starling::hub::saved_assets_of(file), data);
  if (!ready) return starling::fail(ready);
  return starling::hub::sqlite::restore(file, {data, {}});
}

void tell_of_missing_secrets(const std::filesystem::path& saved, const std::filesystem::path& data) {
  std::error_code ignored;
  if (std::filesystem::exists(saved, ignored)) return;
  std::cout << "the hub's own keys are not in this backup: there is no " << saved.string() << '\n';
  for (const std::string& name : starling::hub::missing_secrets(data)) {
    std::cout << "  " << (data / name).string() << " is missing"
              << (name == "tls"
                      ? ": a hub that serves TLS makes a new one, which its devices do not believe\n"
                      : "\n");
  }
}

int restore(const Arguments& arguments) {
  const auto& data = arguments.settings.data;
  const auto done = put_database(arguments.restore_file, data);
  if (!done) {
    starling::hub::drop_staged_releases(data);
    starling::hub::drop_staged_secrets(data);
    return complain(done.error());
  }
  const auto taken = starling::hub::put_staged_releases(data, starling::SystemClock().wall());
  if (!taken) return complain(taken.error());
  const auto secrets = starling::hub::put_staged_secrets(data);
  if (!secrets) return complain(secrets.error());
  std::cout << "restored " << arguments.restore_file << " as a new generation\n";
  if (!done->former.empty()) std::cout << "the database before is kept as " << done->former.string() << '\n';
  for (const std::string& fleet : *taken)
    std::cout << "the releases of fleet " << fleet << " are those of the backup\n";
  for (const auto& [name, former] : *secrets) {
    std::cout << name << " is that of the backup";
    if (!former.empty()) std::cout << "; the one before is kept as " << former.string();
    std::cout << '\n';
  }
  tell_of_missing_secrets(starling::hub::saved_secrets_of(arguments.restore_file), data);
  return 0;
}

int serve(Arguments& arguments) {
  const auto level = starling::parse_log_level(arguments.log_level);
  if (!level) return complain(level.error());
  if (auto parsed = parse_listen(arguments); !parsed) return complain(parsed.error());
  auto& settings = arguments.settings;
  if (arguments.tls == "off") settings.tls.mode = starling::hub::TlsPolicy::Mode::off;
  settings.api.per_key = {arguments.rate_limit, arguments.rate_limit * 5};
  settings.sessions.heartbeat = starling::Seconds(arguments.heartbeat_seconds);
  if (const char* key = std::getenv("STARLING_BOOTSTRAP_ADMIN_KEY")) settings.bootstrap_admin_key = key;
  raise_descriptor_limit();

  const auto format = arguments.log_format == "json"   ? starling::LogFormat::json
                      : arguments.log_format == "text" ? starling::LogFormat::text
                                                       : starling::LogFormat::automatic;
  const starling::SystemClock clock;
  starling::Log log(clock, STDERR_FILENO, format);
  log.set_level(*level);
  starling::hub::Server server(settings, clock, log);
  const auto served = server.run();
  return served ? 0 : complain(served.error());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"starling-hub: holds what every device of your fleets should be", "starling-hub"};
  Arguments arguments;
  add_options(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : starling::exit_usage;
  }
  if (!arguments.backup_file.empty()) return back_up(arguments);
  if (!arguments.restore_file.empty()) return restore(arguments);
  if (arguments.use_backup_key) {
    const auto used = starling::hub::use_backup_key(arguments.settings.data);
    if (!used) return complain(used.error());
    std::cout << "the backup key is the hub's key from its next start on; its pin is " << *used << '\n';
    return 0;
  }
  return serve(arguments);
}
