// Purpose: `starling-fleetsim sockets`, from what the command line says to the exit code.
// Owner: main(). Thread: one. Lifetime: one run.
#pragma once

#include <string>
#include <vector>

namespace starling::fleetsim {

struct SocketsArguments {
  std::string hub = "http://127.0.0.1:8000";
  std::string key_file;
  std::vector<std::string> pins;
  std::size_t devices = 100;
  double duration_s = 10;
  double rate = 1;
  unsigned connect_limit_s = 60;
  unsigned settle_limit_s = 30;
  bool verbose = false;
};

// 0: every device ended as the hub wants it, or its refusal is visible. 1: it did not. 2: it could not be
// tried.
int run_sockets(const SocketsArguments& arguments);

}  // namespace starling::fleetsim
