#include "bench/processes/load/fanout.hpp"

#include "bench/processes/load/statistics.hpp"

namespace starling::bench {

Result<void> Fanout::connect_devices(Dialect& dialect) {
  for (std::uint32_t i = 0; i < options_.devices; ++i) {
    auto endpoint = options_.endpoint;
    endpoint.source = 1 + i / 1000;
    loop_.connect(std::move(endpoint), dialect, i);
  }
  const auto connected = loop_.run_until("connecting the devices", std::chrono::minutes(2), [this] {
    return presence_.ready >= options_.devices || presence_.lost > 0;
  });
  if (!connected) return connected;
  if (presence_.lost > 0) return fail(ErrorCode::unavailable, "a device was lost: " + presence_.last_reason);
  return {};
}

Result<JsonObject> measure_fanout(Fanout& fanout) {
  const auto start = BenchClock::now();
  if (const auto connected = fanout.connect(); !connected) return fail(connected);
  const double connect_ms = milliseconds_since(start);
  JsonArray rounds;
  std::vector<double> p50, p99, totals;
  for (std::size_t number = 0; number < fanout.options().rounds; ++number) {
    fanout.loop().run_for(std::chrono::milliseconds(200));
    auto& round = fanout.round();
    round.delivered_ms.clear();
    round.answers = 0;
    round.start = BenchClock::now();
    fanout.begin_round(number);
    const auto ended = fanout.loop().run_until("a fan-out", std::chrono::seconds(60), [&] {
      return fanout.round_ended() || fanout.presence().lost > 0;
    });
    const double total = milliseconds_since(round.start);
    if (!ended) {
      return fail(ended.error().code, ended.error().message + ": told " +
                                          std::to_string(round.delivered_ms.size()) + ", answered " +
                                          std::to_string(round.answers));
    }
    if (fanout.presence().lost > 0) {
      return fail(ErrorCode::unavailable, "a device was lost: " + fanout.presence().last_reason);
    }
    p50.push_back(percentile(round.delivered_ms, 0.5));
    p99.push_back(percentile(round.delivered_ms, 0.99));
    totals.push_back(total);
    rounds.push_back(total);
  }
  return JsonObject{{"devices", fanout.options().devices},
                    {"connect_per_s", static_cast<double>(fanout.options().devices) / connect_ms * 1000},
                    {"p50_ms", percentile(p50, 0.5)},
                    {"p99_ms", percentile(p99, 0.5)},
                    {"total_ms", percentile(totals, 0.5)},
                    {"rounds_ms", rounds}};
}

}  // namespace starling::bench
