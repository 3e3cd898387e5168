// Purpose: what a scenario is told on the command line. Owner: main(). Thread: one. Lifetime: the process.
#pragma once

#include <string>

#include "bench/processes/load/loop.hpp"

namespace starling::bench {

struct Arguments {
  Endpoint server;
  std::string key;         // of the hub's API
  std::string identities;  // file that `register` writes and the device scenarios read
  std::string device;      // UUID of a device that another process runs
  std::string target = "/healthz";
  std::string write_target;       // of writes: the `target` of the body as JSON; empty: the fleet
  std::string stage = "session";  // of hold: tcp, upgraded or session
  std::size_t devices = 10'000;
  std::size_t rounds = 7;
  std::size_t payload_bytes = 300;
  std::size_t ack_bytes = 60;
  int answer_qos = 1;
  std::size_t connections = 64;
  double seconds = 3;
  double rate = 0;
};

}  // namespace starling::bench
