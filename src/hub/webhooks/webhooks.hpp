// Purpose: tells other services of updates that failed and rollouts that stopped: JSON by POST, signed, and
// again and again until it is taken. Owner: Server. Thread: the hub's. Lifetime: the Hub
// outlives it, and its tasks have ended before it goes; what it has not delivered when the hub ends is lost.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/http/client.hpp"
#include "base/log.hpp"
#include "base/task_group.hpp"
#include "hub/hub.hpp"
#include "hub/webhooks/webhook_queue.hpp"

namespace starling::hub {

class Webhooks : public ChangeObserver, public PresenceObserver {
 public:
  struct Options {
    std::vector<http::Url> urls;
    std::string secret;  // raw bytes
  };
  Webhooks(Hub& hub, asio::any_io_executor executor, TaskGroup& tasks, const Clock& clock, Logger logger,
           Options options);
  ~Webhooks() override;

  void on_change(const SharedChange& change, const FleetState& state) override;
  void on_reported(const std::string& fleet, const std::string& device_id) override;
  void tick();  // every second

 private:
  struct Receiver {
    http::Url url;
    WebhookQueue queue;
  };
  // Of one release in a fleet: a fleet's failures come together, and make one event.
  struct Failures {
    SteadyTime first{};
    std::int64_t count = 0;
    JsonArray devices;  // the first of them
  };

  void say(std::string_view type, JsonObject data);
  std::string version_of(const FleetState& state, const Digest& section);
  asio::awaitable<void> deliver(Receiver& receiver, std::string id, std::string body);

  Hub& hub_;
  asio::any_io_executor executor_;
  TaskGroup& tasks_;
  const Clock& clock_;
  Logger logger_;
  std::string secret_;
  std::vector<Receiver> receivers_;
  std::map<std::string, Digest> failed_;                           // device → the section that it refused
  std::map<std::pair<std::string, std::string>, Failures> fresh_;  // by fleet and version
  std::map<Digest, std::string> versions_;                         // of software sections
};

// "whsec_..." of DATA/webhook.secret, which is made if there is none: as receivers get it, and its raw bytes.
// Errors: corrupted, those of base/files.
Result<std::string> webhook_secret(const std::filesystem::path& data);

}  // namespace starling::hub
