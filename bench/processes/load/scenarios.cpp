#include "bench/processes/load/scenarios.hpp"

#include "base/crypto.hpp"
#include "bench/processes/load/fanout.hpp"
#include "bench/processes/load/http_pool.hpp"
#include "bench/processes/load/starling_devices.hpp"

namespace starling::bench {
namespace {

FanoutOptions fanout_options(const Arguments& arguments) {
  return {.endpoint = arguments.server,
          .devices = arguments.devices,
          .rounds = arguments.rounds,
          .payload_bytes = arguments.payload_bytes,
          .ack_bytes = arguments.ack_bytes,
          .answer_qos = arguments.answer_qos};
}

Result<JsonObject> epoll_fanout(const Arguments& arguments) {
  return measure_fanout(*make_epoll_fanout(fanout_options(arguments)));
}

Result<JsonObject> nats_fanout(const Arguments& arguments) {
  return measure_fanout(*make_nats_fanout(fanout_options(arguments)));
}

Result<JsonObject> mqtt_fanout(const Arguments& arguments) {
  return measure_fanout(*make_mqtt_fanout(fanout_options(arguments)));
}

HttpLoad http_load(const Arguments& arguments) {
  HttpLoad load;
  load.endpoint = arguments.server;
  load.connections = arguments.connections;
  load.duration = std::chrono::milliseconds(static_cast<std::int64_t>(arguments.seconds * 1000));
  load.rate = arguments.rate;
  return load;
}

Result<JsonObject> rest_reads(const Arguments& arguments) {
  auto load = http_load(arguments);
  load.request = [&arguments](std::size_t) {
    return http_request("GET", arguments.target, arguments.key, "");
  };
  return measure_http(load);
}

Result<JsonObject> starling_writes(const Arguments& arguments) {
  auto load = http_load(arguments);
  const std::int64_t run = std::chrono::system_clock::now().time_since_epoch().count() % 1'000'000;
  JsonObject target{{"fleet", true}};
  if (!arguments.write_target.empty()) {
    auto given = parse_json(arguments.write_target);
    if (!given || !given->is_object()) {
      return fail(ErrorCode::invalid_argument, "--write-target is no JSON object");
    }
    target = std::move(given->get_object());
  }
  // One setting, another value each time: every write is a change, a log row and a commit.
  load.request = [&arguments, run, target = std::move(target)](std::size_t n) {
    const auto value = static_cast<double>(n % 900'000 + 1) / 1e6 + static_cast<double>(run) / 1e13;
    const JsonObject body{
        {"values", JsonObject{{"hotword.threshold", value}}}, {"target", target}, {"reason", "bench"}};
    return http_request("PUT", "/api/v1/settings", arguments.key, boost::json::serialize(body));
  };
  return measure_http(load);
}

std::string base64(std::string_view bytes) {
  auto text = base64url_encode(bytes);  // the same alphabet for what is written here, but for padding
  while (text.size() % 4 != 0)
    text.push_back('=');
  return text;
}

Result<JsonObject> etcd_writes(const Arguments& arguments) {
  auto load = http_load(arguments);
  load.request = [&arguments](std::size_t n) {
    auto value = "{\"value\":" + std::to_string(n) + "}";
    value.resize(std::max(value.size(), arguments.payload_bytes), ' ');
    const JsonObject body{{"key", base64("/fleet/hotword.threshold")}, {"value", base64(value)}};
    return http_request("POST", "/v3/kv/put", "", boost::json::serialize(body));
  };
  return measure_http(load);
}

}  // namespace

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"epoll-fanout", "fan-out through epoll_reference", epoll_fanout},
      {"nats-fanout", "fan-out through nats-server", nats_fanout},
      {"mqtt-fanout", "fan-out through an MQTT broker, QoS 1", mqtt_fanout},
      {"fanout", "fan-out of a setting of the whole fleet through the hub", starling_fanout},
      {"register", "registers devices and saves their identities", register_devices},
      {"one-change", "changes of one device, one after the other, until the hub shows them applied",
       starling_one_change},
      {"hold", "connects devices as far as --stage, then waits for the end of standard input", starling_hold},
      {"storm", "drops all devices, changes a setting, connects all at once", starling_storm},
      {"reads", "GET requests", rest_reads},
      {"writes", "changes of one setting", starling_writes},
      {"etcd-writes", "puts to etcd through its HTTP gateway", etcd_writes},
  };
  return all;
}

}  // namespace starling::bench
