// Purpose: simulated devices on the device link: they prove who they are, keep every document in memory and
// answer it at once. What a hub is measured against; the agent's own core is in starling-fleetsim.
// Owner: a scenario. Thread: the Loop's. Lifetime: outlives the Loop's last turn.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "bench/processes/load/arguments.hpp"
#include "bench/processes/load/loop.hpp"
#include "protocol/messages.hpp"

namespace starling::bench {

struct DeviceIdentity {
  std::string uuid;
  std::string token;
};

// All devices of one file share a key pair: signing is their own work, and checking costs the hub the same.
struct Identities {
  Ed25519KeyPair key;
  std::vector<DeviceIdentity> devices;

  static Result<Identities> load(const std::string& path);
  Result<void> save(const std::string& path) const;
};

// Registers new devices through the API and saves their identities. Figures: registrations a second.
Result<JsonObject> register_devices(const Arguments& arguments);

class StarlingDevices final : public Dialect {
 public:
  StarlingDevices(Loop& loop, const Identities& identities, Endpoint hub);

  enum class Stage { tcp, upgraded, session };
  void set_stage(Stage stage) { stage_ = stage; }  // how far a connection goes before it only listens

  // Connects devices [0, count). Their state stays from connection to connection.
  void connect(std::size_t count);
  void disconnect_all();

  struct Counters {
    std::size_t opened = 0, upgraded = 0, welcomed = 0, updates = 0, mismatches = 0, lost = 0;
    std::size_t update_bytes = 0, answer_bytes = 0;  // of the last update and its answer
    std::string last_reason;
  };
  const Counters& counters() const { return counters_; }
  // When each update of this round has come, from the round's start on.
  void begin_round(BenchTime start);
  const std::vector<double>& delivered_ms() const { return delivered_ms_; }

  void on_open(Link& link) override;
  std::size_t on_bytes(Link& link, std::string_view bytes) override;
  void on_lost(Link& link, std::string_view why) override;

 private:
  struct Device {
    Digest applied;
    std::int64_t revision = 0;
    Link* link = nullptr;
  };
  // One update is decoded, applied and checked once, however many devices get it.
  struct Answer {
    std::string update;
    Digest hash;
    std::int64_t revision = 0;
    std::string frame;
  };

  void drop(Link& link, std::string_view why);
  void on_message(Link& link, std::string_view text);
  void on_update(Link& link, std::string_view text, const protocol::ConfigUpdate& update);
  void answer(Link& link);
  void handshake(Link& link, const protocol::Challenge& challenge);
  Result<void> apply(const protocol::ConfigUpdate& update);

  Loop& loop_;
  const Identities& identities_;
  Endpoint hub_;
  Stage stage_ = Stage::session;
  std::vector<Device> devices_;
  std::unordered_map<Digest, Json> documents_;
  Answer last_;
  protocol::SessionEpoch epoch_;
  std::string hub_generation_;
  Counters counters_;
  BenchTime round_start_;
  std::vector<double> delivered_ms_;
};

}  // namespace starling::bench
