#include <CLI/CLI.hpp>

#include "fleetsim/deterministic/seeds_mode.hpp"
#include "fleetsim/sockets_command.hpp"

int main(int argc, char** argv) {
  CLI::App app{"starling-fleetsim: many simulated devices that run the real agent core"};
  app.require_subcommand(1);

  starling::fleetsim::SeedsOptions seeds;
  CLI::App* seeds_command =
      app.add_subcommand("seeds", "a hub and its devices on a virtual clock and network, with seeded faults");
  seeds_command->add_option("--first", seeds.first, "first seed")->capture_default_str();
  seeds_command->add_option("--count", seeds.count, "how many seeds")->capture_default_str();
  seeds_command->add_flag("--trace", seeds.trace, "print what happened");

  starling::fleetsim::SocketsArguments sockets;
  CLI::App* sockets_command =
      app.add_subcommand("sockets", "devices on real sockets, for a hub that runs already");
  sockets_command->add_option("--hub", sockets.hub, "its URL")->capture_default_str();
  sockets_command
      ->add_option("--key-file", sockets.key_file, "file with a key that may enrol and change settings")
      ->required();
  sockets_command->add_option("--pin", sockets.pins, "sha256/... of its public key, for https");
  sockets_command->add_option("--devices", sockets.devices)->capture_default_str();
  sockets_command->add_option("--duration", sockets.duration_s, "seconds during which changes are made")
      ->capture_default_str();
  sockets_command->add_option("--rate", sockets.rate, "changes of the whole fleet a second; 0: none")
      ->capture_default_str();
  sockets_command
      ->add_option("--connect-limit", sockets.connect_limit_s, "seconds for all devices to be connected")
      ->capture_default_str();
  sockets_command
      ->add_option("--settle-limit", sockets.settle_limit_s,
                   "seconds after the last change for every device to be as the hub wants it")
      ->capture_default_str();
  sockets_command->add_flag("--verbose", sockets.verbose, "say why each connection could not be made");

  CLI11_PARSE(app, argc, argv);
  return *seeds_command ? starling::fleetsim::run_seeds(seeds) : starling::fleetsim::run_sockets(sockets);
}
