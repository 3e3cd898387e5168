// Purpose: a hub and its devices as real processes, and what a test asks them.
// Owner: the test. Thread: the test's. Lifetime: the processes end with these objects.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "e2e/process.hpp"
#include "e2e/wire.hpp"

namespace starling::e2e {

class HubProcess {
 public:
  // Arguments are added to --data and --listen.
  explicit HubProcess(const std::filesystem::path& folder, std::vector<std::string> arguments = {});

  void start();  // ready when it returns; always on the same port
  void kill();   // as a power cut would
  int stop();    // SIGTERM; the exit status

  std::uint16_t port() const { return port_; }
  std::string url() const { return scheme_ + "://127.0.0.1:" + std::to_string(port_); }
  std::filesystem::path data() const { return folder_ / "data"; }
  std::string admin_key() const;
  std::string log() const { return read_text(folder_ / "hub.log"); }
  bool running() { return process_ && process_->running(); }

  // A request as the administrator. `call` expects a 2xx and gives the body; `ask` gives whatever came.
  Json call(const std::string& method, const std::string& path, const std::optional<Json>& body = {}) const;
  Reply ask(const std::string& method, const std::string& path, const std::optional<Json>& body = {},
            std::map<std::string, std::string> headers = {}) const;

  // What the operator's command line says.
  Finished command(std::vector<std::string> arguments) const;

  Json device(std::string_view name) const;
  std::string sync_status(std::string_view name) const;
  std::int64_t head() const;
  std::string make_enrolment_key() const;

 private:
  std::filesystem::path folder_;
  std::vector<std::string> arguments_;
  std::string scheme_ = "http";
  std::uint16_t port_;
  mutable int commands_ = 0;
  std::optional<Process> process_;
};

class AgentProcess {
 public:
  struct Options {
    std::string name;
    std::string hub_url;
    std::string enrolment_key;
    std::vector<std::string> arguments = {};
  };
  AgentProcess(const std::filesystem::path& folder, Options options);

  void start();
  void start_without_hub();  // the settings are in force when it returns
  void kill();
  int stop();
  bool running() { return process_ && process_->running(); }

  std::filesystem::path state() const { return folder_ / options_.name; }
  std::string log() const { return read_text(folder_ / (options_.name + ".log")); }
  // What config_override.json holds: the settings that differ from their defaults.
  JsonObject overrides() const;

 private:
  void start(const std::string& hub_url);

  std::filesystem::path folder_;
  Options options_;
  std::optional<Process> process_;
};

// A hub and some devices, all connected and running what it wants.
class Fleet {
 public:
  explicit Fleet(std::vector<std::string> device_names, std::vector<std::string> agent_arguments = {});

  HubProcess& hub() { return hub_; }
  AgentProcess& device(std::string_view name) { return devices_.at(std::string(name)); }
  const std::filesystem::path& folder() const { return folder_.path(); }
  // Until the device runs what the hub wants: in_sync, or provisional, which is the same but young.
  void await_applied(std::string_view name);
  void await_applied();  // all of them
  void await_status(std::string_view name, std::string_view status);

 private:
  void await(std::string_view name, std::string_view what, const std::function<bool(std::string_view)>& good);

  TemporaryFolder folder_;
  HubProcess hub_;
  std::map<std::string, AgentProcess> devices_;
};

}  // namespace starling::e2e
