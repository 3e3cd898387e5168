// Purpose: one change to many connections, each of which answers: the same for every server that is compared.
// Owner: main(). Thread: one. Lifetime: measure_fanout() outlives its Fanout.
//
// A round begins when the publisher sends and has ended when it knows that every device has answered.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "bench/processes/load/loop.hpp"

namespace starling::bench {

struct FanoutOptions {
  Endpoint endpoint;
  std::size_t devices = 10'000;
  std::size_t rounds = 7;
  std::size_t payload_bytes = 300;
  std::size_t ack_bytes = 60;
  int answer_qos = 1;  // of the published answer in MQTT, on its way to the broker and on to the publisher
};

struct Round {
  BenchTime start;
  std::vector<double> delivered_ms;  // when each device had the message
  std::size_t answers = 0;           // that the publisher has been told of
};

// Devices' connections, of which it is enough to know how many are there.
struct Presence {
  std::size_t ready = 0;
  std::size_t lost = 0;
  std::string last_reason;
};

class Fanout {
 public:
  explicit Fanout(FanoutOptions options) : options_(std::move(options)) {}
  virtual ~Fanout() = default;

  virtual Result<void> connect() = 0;  // completes when every device would hear a round
  virtual void begin_round(std::size_t number) = 0;
  virtual bool round_ended() const { return round_.answers >= options_.devices; }

  Loop& loop() { return loop_; }
  Round& round() { return round_; }
  Presence& presence() { return presence_; }
  const FanoutOptions& options() const { return options_; }

 protected:
  // Connects the devices, each on a source address that it shares with at most 999 others, and waits for all.
  Result<void> connect_devices(Dialect& dialect);

 private:
  FanoutOptions options_;
  Round round_;
  Presence presence_;

 protected:
  Loop loop_;
};

// Connection set-up rate, then the rounds: p50 and p99 of delivery, total, and medians of all.
Result<JsonObject> measure_fanout(Fanout& fanout);

std::unique_ptr<Fanout> make_epoll_fanout(FanoutOptions options);
std::unique_ptr<Fanout> make_nats_fanout(FanoutOptions options);
// MQTT 3.1.1: the change at QoS 1; the answer is a PUBACK and, if ack_bytes is not 0, a publish at
// answer_qos.
std::unique_ptr<Fanout> make_mqtt_fanout(FanoutOptions options);

}  // namespace starling::bench
