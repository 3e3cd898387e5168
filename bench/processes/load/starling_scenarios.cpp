// The scenarios that drive a hub with simulated devices.
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "bench/processes/load/fanout.hpp"
#include "bench/processes/load/http_pool.hpp"
#include "bench/processes/load/scenarios.hpp"
#include "bench/processes/load/starling_devices.hpp"
#include "bench/processes/load/statistics.hpp"

namespace starling::bench {
namespace {

std::string put_threshold(const Arguments& arguments, const Json& value, const JsonObject& target) {
  const JsonObject body{
      {"values", JsonObject{{"hotword.threshold", value}}}, {"target", target}, {"reason", "bench"}};
  return http_request("PUT", "/api/v1/settings", arguments.key, boost::json::serialize(body));
}

std::int64_t integer_at(const HttpReply& reply, std::string_view name) {
  const auto body = parse_json(reply.body, {.max_bytes = 16u << 20});
  if (!body || !body->is_object()) return -1;
  const auto* value = body->as_object().if_contains(name);
  return value != nullptr && value->is_int64() ? value->as_int64() : -1;
}

// A value of hotword.threshold that no earlier call has used, so that each write is a change.
double next_threshold() {
  static const double run = static_cast<double>(std::chrono::system_clock::now().time_since_epoch().count() /
                                                1'000'000 % 1'000'000);
  static int n = 0;
  return 0.1 + ++n * 1e-4 + run * 1e-12;
}

// A hub with devices on its link and one connection to its API.
class HubUnderLoad {
 public:
  HubUnderLoad(const Arguments& arguments, Identities identities)
      : arguments_(arguments),
        identities_(std::move(identities)),
        devices_(loop_, identities_, arguments.server),
        api_(loop_, arguments.server, 1) {}

  Result<void> connect_devices() {
    devices_.connect(arguments_.devices);
    const auto connected = loop_.run_until("connecting the devices", std::chrono::minutes(2), [this] {
      return reached() >= arguments_.devices || devices_.counters().lost > 0;
    });
    if (!connected) return fail(connected, std::to_string(reached()) + " devices were connected");
    return none_lost();
  }

  Result<void> none_lost() const {
    const auto& counters = devices_.counters();
    if (counters.lost == 0) return {};
    return fail(ErrorCode::unavailable,
                std::to_string(counters.lost) + " devices were lost: " + counters.last_reason);
  }

  // Writes and gives the revision of the change.
  Result<std::int64_t> change(const JsonObject& target) { return write(next_threshold(), target); }
  Result<std::int64_t> unset(const JsonObject& target) { return write(nullptr, target); }

  Result<std::int64_t> write(const Json& value, const JsonObject& target) {
    std::int64_t revision = 0;
    std::string failure;
    api_.call(put_threshold(arguments_, value, target), [&](const HttpReply& reply) {
      revision = reply.status < 300 ? integer_at(reply, "revision") : -1;
      failure = reply.body;
    });
    const auto answered = loop_.run_until("a write", std::chrono::seconds(30),
                                          [&] { return revision != 0 || api_.lost() > 0; });
    if (!answered) return fail(answered);
    if (api_.lost() > 0) return fail(ErrorCode::unavailable, "the connection to the hub's API was lost");
    if (revision < 0) return fail(ErrorCode::unavailable, "the write was refused: " + failure);
    return revision;
  }

  // Asks until the hub counts `count` devices as having applied the change.
  Result<void> wait_applied(std::int64_t revision, std::size_t count, std::chrono::milliseconds limit) {
    std::int64_t applied = 0;
    bool asking = false;
    // Counting ten thousand devices is work for the hub, which it is to spend on their answers.
    const auto pause = std::chrono::microseconds(count > 100 ? 3'000 : 200);
    const auto target = "/api/v1/changes/" + std::to_string(revision) + "/progress";
    const auto request = http_request("GET", target, arguments_.key, "");
    const auto done = loop_.run_until("until all have applied it", limit, [&] {
      if (!asking && applied < static_cast<std::int64_t>(count)) {
        asking = true;
        api_.call(request, [&](const HttpReply& reply) {
          applied = integer_at(reply, "applied");
          if (applied < static_cast<std::int64_t>(count)) loop_.after(pause, [&] { asking = false; });
        });
      }
      return applied >= static_cast<std::int64_t>(count) || devices_.counters().lost > 0;
    });
    if (!done) return fail(done, "the hub counted " + std::to_string(applied));
    return none_lost();
  }

  Loop& loop() { return loop_; }
  StarlingDevices& devices() { return devices_; }
  const Identities& identities() const { return identities_; }

 private:
  std::size_t reached() const {
    const auto& counters = devices_.counters();
    if (arguments_.stage == "tcp") return counters.opened;
    return arguments_.stage == "upgraded" ? counters.upgraded : counters.welcomed;
  }

  const Arguments& arguments_;
  Identities identities_;
  Loop loop_;
  StarlingDevices devices_;
  HttpPool api_;
};

bool input_has_ended() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) > 0;
}

struct RoundFigures {
  double total_ms = 0, written_ms = 0, p50_ms = 0, p99_ms = 0;
};

Result<RoundFigures> fanout_round(HubUnderLoad& hub, std::size_t devices) {
  const auto start = BenchClock::now();
  hub.devices().begin_round(start);
  const auto revision = hub.change(JsonObject{{"fleet", true}});
  if (!revision) return fail(revision);
  RoundFigures figures{.written_ms = milliseconds_since(start)};
  const auto told = hub.loop().run_until("a fan-out", std::chrono::seconds(60), [&] {
    return hub.devices().delivered_ms().size() >= devices || hub.devices().counters().lost > 0;
  });
  if (!told) return fail(told, std::to_string(hub.devices().delivered_ms().size()) + " devices were told");
  if (const auto applied = hub.wait_applied(*revision, devices, std::chrono::seconds(30)); !applied) {
    return fail(applied);
  }
  figures.total_ms = milliseconds_since(start);
  figures.p50_ms = percentile(hub.devices().delivered_ms(), 0.5);
  figures.p99_ms = percentile(hub.devices().delivered_ms(), 0.99);
  return figures;
}

}  // namespace

Result<JsonObject> starling_fanout(const Arguments& arguments) {
  auto identities = Identities::load(arguments.identities);
  if (!identities) return fail(identities);
  HubUnderLoad hub(arguments, std::move(*identities));
  const auto start = BenchClock::now();
  if (const auto connected = hub.connect_devices(); !connected) return fail(connected);
  const double connect_ms = milliseconds_since(start);
  std::vector<double> totals, written, p50, p99;
  JsonArray rounds;
  const auto end =
      BenchClock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(arguments.seconds * 1e3));
  // With --rounds 0: rounds without a pause for --seconds, as a background for other measurements.
  while (arguments.rounds > 0 ? totals.size() < arguments.rounds + 1 : BenchClock::now() < end) {
    hub.loop().run_for(std::chrono::milliseconds(arguments.rounds > 0 ? 200 : 0));
    const auto round = fanout_round(hub, arguments.devices);
    if (!round) return fail(round);
    totals.push_back(round->total_ms);
    written.push_back(round->written_ms);
    p50.push_back(round->p50_ms);
    p99.push_back(round->p99_ms);
    if (totals.size() > 1) rounds.push_back(round->total_ms);
  }
  // The first round sends whole documents to devices that have none yet; it is not counted.
  for (auto* samples : {&totals, &written, &p50, &p99})
    samples->erase(samples->begin());
  const auto& counters = hub.devices().counters();
  return JsonObject{{"devices", arguments.devices},
                    {"connect_per_s", static_cast<double>(arguments.devices) / connect_ms * 1000},
                    {"p50_ms", percentile(p50, 0.5)},
                    {"p99_ms", percentile(p99, 0.5)},
                    {"written_ms", percentile(written, 0.5)},
                    {"total_ms", percentile(totals, 0.5)},
                    {"rounds_ms", rounds},
                    {"mismatches", counters.mismatches},
                    {"update_bytes", counters.update_bytes},
                    {"answer_bytes", counters.answer_bytes}};
}

Result<JsonObject> starling_one_change(const Arguments& arguments) {
  auto identities = Identities::load(arguments.identities);
  if (!identities) return fail(identities);
  const auto device = arguments.device.empty() ? identities->devices.at(0).uuid : arguments.device;
  HubUnderLoad hub(arguments, std::move(*identities));
  if (const auto connected = hub.connect_devices(); !connected) return fail(connected);
  std::vector<double> samples;
  for (std::size_t i = 0; i < arguments.rounds; ++i) {
    hub.loop().run_for(std::chrono::milliseconds(5));
    const auto start = BenchClock::now();
    const auto revision = hub.change(JsonObject{{"device", device}});
    if (!revision) return fail(revision);
    if (const auto applied = hub.wait_applied(*revision, 1, std::chrono::seconds(10)); !applied) {
      return fail(applied);
    }
    if (i > 0) samples.push_back(milliseconds_since(start));
  }
  // Else changes of the fleet would pass this device by in what is measured next.
  if (const auto unset = hub.unset(JsonObject{{"device", device}}); !unset) return fail(unset);
  return latency_summary(samples);
}

Result<JsonObject> starling_hold(const Arguments& arguments) {
  auto identities = Identities::load(arguments.identities);
  if (!identities) return fail(identities);
  HubUnderLoad hub(arguments, std::move(*identities));
  using Stage = StarlingDevices::Stage;
  if (arguments.stage == "tcp") hub.devices().set_stage(Stage::tcp);
  if (arguments.stage == "upgraded") hub.devices().set_stage(Stage::upgraded);
  if (const auto connected = hub.connect_devices(); !connected) return fail(connected);
  for (std::size_t i = 0; i < arguments.rounds; ++i) {
    if (const auto round = fanout_round(hub, arguments.devices); !round) return fail(round);
  }
  hub.loop().run_for(std::chrono::milliseconds(1000));
  std::puts("{\"holding\": true}");
  std::fflush(stdout);
  // Devices go on answering pings meanwhile.
  const auto held = hub.loop().run_until("holding", std::chrono::minutes(10), input_has_ended);
  if (!held) return fail(held);
  return JsonObject{{"devices", arguments.devices}};
}

Result<JsonObject> starling_storm(const Arguments& arguments) {
  auto identities = Identities::load(arguments.identities);
  if (!identities) return fail(identities);
  HubUnderLoad hub(arguments, std::move(*identities));
  if (const auto connected = hub.connect_devices(); !connected) return fail(connected);
  if (const auto round = fanout_round(hub, arguments.devices); !round) return fail(round, "before the storm");
  hub.devices().disconnect_all();
  hub.loop().run_for(std::chrono::milliseconds(2000));
  const auto revision = hub.change(JsonObject{{"fleet", true}});
  if (!revision) return fail(revision);
  hub.loop().set_max_connecting(arguments.devices);
  const auto start = BenchClock::now();
  if (const auto connected = hub.connect_devices(); !connected) return fail(connected);
  const double welcomed_ms = milliseconds_since(start);
  if (const auto applied = hub.wait_applied(*revision, arguments.devices, std::chrono::minutes(1));
      !applied) {
    return fail(applied);
  }
  const auto& counters = hub.devices().counters();
  return JsonObject{{"devices", arguments.devices},
                    {"welcomed_ms", welcomed_ms},
                    {"in_sync_ms", milliseconds_since(start)},
                    {"updates", counters.updates},
                    {"mismatches", counters.mismatches}};
}

}  // namespace starling::bench
