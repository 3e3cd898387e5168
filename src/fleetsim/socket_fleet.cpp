#include "fleetsim/socket_fleet.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/net/loopback.hpp"
#include "base/ws/client.hpp"
#include "protocol/messages.hpp"

namespace starling::fleetsim {
namespace {

constexpr Milliseconds tick_interval{100};

std::string source_address(std::size_t number) {
  const std::size_t n = number / SocketFleet::devices_per_address;
  return "127.0." + std::to_string(1 + n / 250) + "." + std::to_string(1 + n % 250);
}

http::Client::Call enrolment_call(const SocketDevice& device, const std::string& key) {
  const agent::Identity& identity = device.core().identity();
  const JsonObject body{
      {"device_uuid", identity.device_id()},
      {"device_name", "sim-" + std::to_string(device.number()) + "-" + identity.device_id().substr(24)},
      {"timezone", "UTC"},
      {"current_version", STARLING_VERSION},
      {"device_type", "simulated"},
      {"labels", JsonObject{{"simulated", "true"}}},
      {"public_key", base64url_encode(identity.public_key())},
      {"serial", identity.serial()}};
  http::Client::Call call;
  call.method = http::Method::post;
  call.target = "/api/v1/devices/register";
  call.headers.add("Authorization", "Bearer " + key);
  call.body = boost::json::serialize(body);
  return call;
}

Result<std::string> token_of(const http::Response& response) {
  if (response.status >= 300) {
    return fail(ErrorCode::unavailable, "the hub answered the enrolment with " +
                                            std::to_string(response.status) + ": " + response.body);
  }
  const auto body = parse_json(response.body);
  if (!body) return fail(body);
  if (!body->is_object())
    return fail(ErrorCode::unavailable, "the hub's answer to the enrolment is no object");
  const auto token = JsonReader(body->as_object()).optional_string("token");
  if (!token) return fail(token);
  return token->value_or("");  // of a known device: none, it proves itself over the link
}

}  // namespace

// Passes everything on, and frees the place among those that are connecting once the connection is there.
class SocketFleet::Opening final : public ws::Session {
 public:
  Opening(SocketFleet& fleet, std::unique_ptr<ws::Session> session)
      : fleet_(fleet), session_(std::move(session)) {}

  void on_open(ws::Peer& peer) override {
    --fleet_.connecting_;
    session_->on_open(peer);
    fleet_.connect_queued();
  }
  void on_text(std::string_view text) override { session_->on_text(text); }
  void on_ping() override { session_->on_ping(); }
  void on_close(ws::CloseCode code, std::string_view reason) override { session_->on_close(code, reason); }

 private:
  SocketFleet& fleet_;
  std::unique_ptr<ws::Session> session_;
};

SocketFleet::SocketFleet(asio::any_io_executor executor, const Clock& clock, HubAccess hub,
                         const protocol::Catalog& catalog, Logger log)
    : executor_(executor),
      clock_(clock),
      hub_(std::move(hub)),
      catalog_(catalog),
      log_(log),
      tasks_(executor, log) {}

Result<void> SocketFleet::start(std::size_t count) {
  const JsonObject capabilities{{"memory_mb", 512}, {"simulated", true}};
  const auto run = static_cast<std::uint64_t>(clock_.wall().time_since_epoch().count());
  devices_.reserve(count);
  for (std::size_t number = 0; number < count; ++number) {
    SocketDevice::Origin origin{number, run * 1'000'003 + number,
                                "sim-" + std::to_string(run) + "-" + std::to_string(number)};
    auto device = SocketDevice::make(std::move(origin), *this, clock_, catalog_, capabilities);
    if (!device) return fail(device, "making a device");
    devices_.push_back(std::move(*device));
  }
  for (const auto& device : devices_)
    device->start();
  tasks_.start("tick devices", tick_devices());
  return {};
}

asio::awaitable<void> SocketFleet::stop() {
  co_await tasks_.stop();
}

std::size_t SocketFleet::connected() const {
  std::size_t count = 0;
  for (const auto& device : devices_)
    count += device->core().link().established() ? 1 : 0;
  return count;
}

void SocketFleet::failed(SocketDevice& device, const Error& why) {
  last_failure_ = why.message;
  log_.debug("no connection", {{"device", device.core().identity().device_id()}, {"why", why.message}});
  device.connect_failed(why);
}

void SocketFleet::enrol(SocketDevice& device) {
  to_enrol_.push_back(&device);
  if (enrolling_ >= max_enrolling) return;
  ++enrolling_;
  tasks_.start("enrol devices", enrol_queued());
}

asio::awaitable<void> SocketFleet::enrol_queued() {
  http::Client client(executor_, hub_.url, hub_.trust);
  while (!to_enrol_.empty()) {
    SocketDevice& device = *to_enrol_.front();
    to_enrol_.pop_front();
    co_await enrol_one(client, device);
  }
  --enrolling_;
}

asio::awaitable<void> SocketFleet::enrol_one(http::Client& client, SocketDevice& device) {
  http::Client::Call call = enrolment_call(device, hub_.key);
  const Result<http::Response> response = co_await client.call(std::move(call));
  if (!response) {
    failed(device, response.error());
    co_return;
  }
  const Result<std::string> token = token_of(*response);
  if (token) {
    device.core().link().enrolled(*token);
  } else {
    failed(device, token.error());
  }
}

void SocketFleet::connect(SocketDevice& device, const std::string& token) {
  to_connect_.push_back({&device, token});
  connect_queued();
}

void SocketFleet::connect_queued() {
  while (!to_connect_.empty() && connecting_ < max_connecting) {
    Dial dial = std::move(to_connect_.front());
    to_connect_.pop_front();
    ++connecting_;
    tasks_.start("hold a connection", hold_connection(*dial.device, std::move(dial.token)));
  }
}

asio::awaitable<void> SocketFleet::hold_connection(SocketDevice& device, std::string token) {
  http::Url url = hub_.url;
  url.target = std::string(protocol::link_path);
  ws::ConnectOptions options;
  if (!token.empty()) options.headers.add("Authorization", "Bearer " + token);
  options.headers.add("X-Device-ID", device.core().identity().device_id());
  options.headers.add("X-Device-Type", "simulated");
  options.headers.add(std::string(protocol::protocol_header), std::to_string(protocol::protocol_version));
  options.trust = hub_.trust;
  const bool v6 = url.host.find(':') != std::string::npos;  // has one loopback address only
  if (net::is_loopback(url.host) && !v6) options.source_address = source_address(device.number());
  std::unique_ptr<ws::Session> session = std::make_unique<Opening>(*this, device.new_session());
  const Result<void> held = co_await ws::run_client(std::move(url), std::move(options), std::move(session));
  if (held) co_return;
  --connecting_;
  failed(device, held.error());
  connect_queued();
}

asio::awaitable<void> SocketFleet::tick_devices() {
  asio::steady_timer timer(executor_);
  while ((co_await asio::this_coro::cancellation_state).cancelled() == asio::cancellation_type::none) {
    timer.expires_after(tick_interval);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    for (const auto& device : devices_)
      device->tick();
  }
}

}  // namespace starling::fleetsim
