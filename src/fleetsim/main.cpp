#include <CLI/CLI.hpp>

#include "fleetsim/deterministic/seeds_mode.hpp"

int main(int argc, char** argv) {
  CLI::App app{"starling-fleetsim: many simulated devices that run the real agent core"};
  app.require_subcommand(1);

  starling::fleetsim::SeedsOptions seeds;
  CLI::App* seeds_command =
      app.add_subcommand("seeds", "a hub and its devices on a virtual clock and network, with seeded faults");
  seeds_command->add_option("--first", seeds.first, "first seed")->capture_default_str();
  seeds_command->add_option("--count", seeds.count, "how many seeds")->capture_default_str();
  seeds_command->add_flag("--trace", seeds.trace, "print what happened");

  CLI11_PARSE(app, argc, argv);
  return starling::fleetsim::run_seeds(seeds);
}
