#include "fleetsim/sockets_command.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "base/key_file.hpp"
#include "fleetsim/socket_mode.hpp"

namespace starling::fleetsim {
namespace {

// Each device is one descriptor; as many as this process may have.
Result<void> check_descriptors(std::size_t devices) {
  constexpr rlim_t others = 64;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (devices + others <= limit.rlim_max) return {};
  return fail(ErrorCode::invalid_argument,
              "this process may open " + std::to_string(limit.rlim_max) +
                  " descriptors, too few for so many devices: run several simulators, or raise the limit");
}

Result<SocketModeOptions> options_of(const SocketsArguments& arguments) {
  auto url = http::Url::parse(arguments.hub);
  if (!url) return fail(url, "--hub");
  auto key_file = read_key_file(arguments.key_file);
  if (!key_file) return fail(key_file, "--key-file");
  if (const auto enough = check_descriptors(arguments.devices); !enough) return fail(enough);
  SocketModeOptions options;
  options.hub = {std::move(*url), {arguments.pins}, std::move(key_file->key)};
  options.devices = arguments.devices;
  options.duration = Seconds(static_cast<std::int64_t>(arguments.duration_s));
  options.changes_per_second = arguments.rate;
  options.connect_limit = Seconds(arguments.connect_limit_s);
  options.settle_limit = Seconds(arguments.settle_limit_s);
  return options;
}

int say(const SocketModeReport& report) {
  std::printf("devices %zu, connected %zu after %lld ms, changes %zu, settled %lld ms after the last\n",
              report.devices, report.connected, static_cast<long long>(report.connected_after.count()),
              report.changes, static_cast<long long>(report.settled_after.count()));
  std::printf("in sync %zu, refused visibly %zu, contradictions %zu\n", report.in_sync, report.refused,
              report.contradiction_count);
  for (const auto& contradiction : report.contradictions)
    std::printf("  %s\n", contradiction.c_str());
  return report.contradiction_count == 0 ? 0 : 1;
}

}  // namespace

int run_sockets(const SocketsArguments& arguments) {
  const auto options = options_of(arguments);
  if (!options) {
    std::fprintf(stderr, "starling-fleetsim: %s\n", options.error().message.c_str());
    return 2;
  }
  const SystemClock clock;
  Log log(clock, STDERR_FILENO);
  log.set_level(arguments.verbose ? LogLevel::debug : LogLevel::info);
  const auto report = run_socket_mode(*options, clock, log);
  if (!report) {
    std::fprintf(stderr, "starling-fleetsim: %s\n", report.error().message.c_str());
    return 2;
  }
  return say(*report);
}

}  // namespace starling::fleetsim
