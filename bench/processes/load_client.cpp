// Purpose: the load side of every process benchmark: one scenario a call, its figures as one JSON object on
// standard output. bench/run_processes.py starts the servers, pins both ends and compares.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/http/message.hpp"
#include "bench/processes/load/scenarios.hpp"

namespace starling::bench {
namespace {

// As many descriptors as this process may have.
void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(const Scenario& scenario, Arguments arguments, const std::string& url) {
  const auto server = http::Url::parse(url);
  if (!server) {
    std::fprintf(stderr, "load_client: --server: %s\n", server.error().message.c_str());
    return 2;
  }
  arguments.server = {.host = server->host, .port = server->port, .tls = server->tls};
  raise_descriptor_limit();
  const auto figures = scenario.run(arguments);
  if (!figures) {
    std::fprintf(stderr, "load_client: %s\n", figures.error().message.c_str());
    return 1;
  }
  std::printf("%s\n", boost::json::serialize(*figures).c_str());
  return 0;
}

void declare(CLI::App& command, Arguments& arguments, std::string& url) {
  command.add_option("--server", url, "http(s)://IPv4:port of what is measured")->required();
  command.add_option("--key", arguments.key, "of the hub's API");
  command.add_option("--identities", arguments.identities, "file of simulated devices");
  command.add_option("--device", arguments.device, "UUID of a device that another process runs");
  command.add_option("--target", arguments.target, "what `reads` asks for");
  command.add_option("--write-target", arguments.write_target, "what `writes` writes for, as JSON");
  command.add_option("--stage", arguments.stage, "how far `hold` goes: tcp, upgraded or session");
  command.add_option("--devices", arguments.devices);
  command.add_option("--rounds", arguments.rounds);
  command.add_option("--payload", arguments.payload_bytes, "bytes of a peer's message");
  command.add_option("--ack", arguments.ack_bytes, "bytes of a peer's answer");
  command.add_option("--answer-qos", arguments.answer_qos, "0 or 1: of the answers in MQTT");
  command.add_option("--connections", arguments.connections);
  command.add_option("--seconds", arguments.seconds);
  command.add_option("--rate", arguments.rate, "calls a second; 0: as many as are answered");
}

}  // namespace

static int main_of(int count, char** arguments) {
  CLI::App app{"Load for the process benchmarks of Starling"};
  app.require_subcommand(1);
  Arguments told;
  std::string url;
  int status = 2;
  for (const auto& scenario : scenarios()) {
    auto* command = app.add_subcommand(std::string(scenario.name), std::string(scenario.summary));
    declare(*command, told, url);
    command->callback([&] { status = run(scenario, told, url); });
  }
  CLI11_PARSE(app, count, arguments);
  return status;
}

}  // namespace starling::bench

int main(int count, char** arguments) {
  return starling::bench::main_of(count, arguments);
}
