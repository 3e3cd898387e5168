#include "agent/hub_link/link_driver.hpp"

#include "base/ws/client.hpp"

namespace starling::agent {
namespace {

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
    case 422: return ErrorCode::invalid_argument;
    case 401: return ErrorCode::unauthenticated;
    case 403: return ErrorCode::permission_denied;
    case 409: return ErrorCode::conflict;
    case 429: return ErrorCode::rate_limited;
    default: return ErrorCode::unavailable;
  }
}

bool is_about_timezone(const http::Response& response) {
  if (response.status != 422) return false;
  const auto body = parse_json(response.body);
  return body && body->is_object() &&
         JsonReader(body->get_object()).string("pointer").value_or("") == "/timezone";
}

}  // namespace

Result<std::string> token_of_registration(const http::Response& response) {
  const auto body = parse_json(response.body);
  if (response.status != 200 && response.status != 201) {
    std::string message = "the hub answered the registration with " + std::to_string(response.status);
    if (body && body->is_object()) {
      if (const auto detail = JsonReader(body->get_object()).string("detail")) message += ": " + *detail;
    }
    return fail(code_of_status(response.status), std::move(message));
  }
  if (!body || !body->is_object()) {
    return fail(ErrorCode::unavailable, "the hub's answer to the registration is not a JSON object");
  }
  const JsonReader reader(body->get_object());
  if (response.status == 201) return reader.string("token");
  const auto token = reader.optional_string("token");
  if (!token) return fail(token);
  return token->value_or("");
}

// The end of one connection. Once it is detached the core hears nothing of it any more.
class LinkDriver::LinkSession final : public ws::Session {
 public:
  explicit LinkSession(LinkDriver& driver) : driver_(&driver) {}
  ~LinkSession() override { detach(); }

  void detach() {
    if (driver_ != nullptr && driver_->session_ == this) driver_->session_ = nullptr;
    driver_ = nullptr;
  }
  void send(std::string_view text) {
    if (peer_ != nullptr) peer_->send_text(text);
  }
  std::size_t unsent_bytes() const { return peer_ == nullptr ? 0 : peer_->queued_bytes(); }
  void close(std::string_view reason) {
    ws::Peer* peer = peer_;
    detach();
    if (peer != nullptr) peer->close(ws::CloseCode::normal, reason);
  }

  void on_open(ws::Peer& peer) override {
    peer_ = &peer;
    if (driver_ == nullptr) return peer.abort();
    driver_->session_ = this;
    driver_->core_->opened();
    touched();
  }
  void on_text(std::string_view text) override {
    if (driver_ == nullptr) return;
    driver_->core_->received(text);
    touched();
  }
  void on_ping() override {
    if (driver_ != nullptr) driver_->core_->alive();
  }
  void on_close(ws::CloseCode code, std::string_view reason) override {
    peer_ = nullptr;
    LinkDriver* const driver = driver_;
    if (driver == nullptr) return;
    detach();
    const std::string why =
        std::to_string(static_cast<int>(code)) + (reason.empty() ? "" : " ") + std::string(reason);
    driver->core_->closed(why);
    driver->wakeup_.deadlines_changed();
  }

 private:
  void touched() {
    if (driver_ != nullptr) driver_->wakeup_.deadlines_changed();
  }
  LinkDriver* driver_;
  ws::Peer* peer_ = nullptr;
};

LinkDriver::LinkDriver(const asio::any_io_executor& executor, LinkTarget target, Wakeup& wakeup, Logger log)
    : executor_(executor), target_(std::move(target)), wakeup_(wakeup), log_(log), tasks_(executor, log) {}

LinkDriver::~LinkDriver() = default;

void LinkDriver::attach(LinkCore& core, const Identity& identity) {
  core_ = &core;
  identity_ = &identity;
}

asio::awaitable<void> LinkDriver::stop() {
  co_await tasks_.stop();
}

void LinkDriver::send(std::string_view text) {
  if (session_ != nullptr) session_->send(text);
}

void LinkDriver::close(std::string_view reason) {
  if (session_ != nullptr) session_->close(reason);
}

std::size_t LinkDriver::unsent_bytes() const {
  return session_ == nullptr ? 0 : session_->unsent_bytes();
}

void LinkDriver::enrol() {
  tasks_.start("enrolment", run_enrolment());
}

void LinkDriver::connect(std::string_view token) {
  tasks_.start("device link", run_connection(std::string(token)));
}

asio::awaitable<void> LinkDriver::run_enrolment() {
  const Result<std::string> token = co_await register_device();
  if (token) {
    core_->enrolled(*token);
  } else {
    core_->attempt_failed(token.error());
  }
  wakeup_.deadlines_changed();
}

asio::awaitable<Result<std::string>> LinkDriver::register_device() {
  JsonObject body = target_.registration;
  for (const auto& [name, value] : identity_->untold(target_.facts))
    body[name] = value;
  body["device_uuid"] = identity_->device_id();
  body["device_type"] = target_.device_type;
  body["public_key"] = base64url_encode(identity_->public_key());
  if (!identity_->serial().empty()) body["serial"] = identity_->serial();
  if (!identity_->cloned_from().empty()) body["cloned_from"] = identity_->cloned_from();

  Result<http::Response> response = co_await post_registration(body);
  if (!response) co_return fail(response);
  if (is_about_timezone(*response)) {
    // Another release of the tz database there: a device in a wrong zone is worth more than none.
    log_.warning("the hub does not know this time zone; enrolling with UTC",
                 {{"timezone", boost::json::serialize(body["timezone"])}});
    body["timezone"] = "UTC";
    response = co_await post_registration(body);
    if (!response) co_return fail(response);
  }
  co_return token_of_registration(*response);
}

asio::awaitable<Result<http::Response>> LinkDriver::post_registration(const JsonObject& body) {
  http::Client client(executor_, target_.hub, target_.trust);
  http::Client::Call call;
  call.method = http::Method::post;
  call.target = "/api/v1/devices/register";
  call.headers.add("Authorization", "Bearer " + target_.enrolment_key);
  call.headers.add("X-Device-Type", target_.device_type);
  call.body = boost::json::serialize(body);
  call.max_response_bytes = 64 * 1024;
  co_return co_await client.call(std::move(call));
}

asio::awaitable<void> LinkDriver::run_connection(std::string token) {
  http::Url url = target_.hub;
  url.target = std::string(protocol::link_path);
  ws::ConnectOptions options;
  options.trust = target_.trust;
  options.limits.max_message_bytes = protocol::max_hub_message_bytes;
  if (!token.empty()) options.headers.add("Authorization", "Bearer " + token);
  options.headers.add("X-Device-ID", identity_->device_id());
  options.headers.add("X-Device-Type", target_.device_type);
  options.headers.add(std::string(protocol::protocol_header), std::to_string(protocol::protocol_version));
  std::unique_ptr<ws::Session> session = std::make_unique<LinkSession>(*this);
  const Result<void> ended = co_await ws::run_client(std::move(url), std::move(options), std::move(session));
  if (!ended) {
    core_->attempt_failed(ended.error());
    wakeup_.deadlines_changed();
  }
}

}  // namespace starling::agent
