// Purpose: the hub as a process: store, core, API and listening socket, from start to a clean stop.
// Owner: main() or a test. Thread: run() is the hub's thread; stop() may come from any. Lifetime: run() once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "hub/api/api.hpp"
#include "hub/tls_policy.hpp"

namespace starling::hub {

struct ServerSettings {
  std::filesystem::path data;
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  TlsPolicy tls;
  std::filesystem::path components;  // a further folder of component files; may be empty
  std::string bootstrap_admin_key;   // may be empty
  Api::Options api;
  Sessions::Options sessions;
  bool online_targets = false;        // this hub signs releases by itself
  std::vector<std::string> webhooks;  // URLs
  bool handle_signals = true;         // SIGTERM and SIGINT stop it
};

class Server {
 public:
  Server(ServerSettings settings, const Clock& clock, Log& log);
  ~Server();

  // Serves until it is stopped. `ready` is called with the port once it listens.
  // Errors: those of the start; after that, none.
  Result<void> run(std::function<void(std::uint16_t port)> ready = {});
  void stop();

 private:
  struct Running;

  ServerSettings settings_;
  const Clock& clock_;
  Log& log_;
  std::unique_ptr<Running> running_;
};

}  // namespace starling::hub
