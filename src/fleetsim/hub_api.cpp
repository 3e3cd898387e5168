#include "fleetsim/hub_api.hpp"

namespace starling::fleetsim {
namespace {

Result<DeviceStanding> standing_of(const JsonObject& device) {
  const auto sync = JsonReader(device).object("sync");
  if (!sync) return fail(sync);
  const JsonReader reader(**sync, "/sync");
  const auto status = reader.string("status");
  const auto desired = reader.string("desired_hash");
  const auto running = reader.string("running_hash");
  const auto errors = reader.optional_array("errors");
  if (!status) return fail(status);
  if (!desired) return fail(desired);
  if (!running) return fail(running);
  if (!errors) return fail(errors);
  const auto desired_hash = Digest::from_hex(*desired);
  if (!desired_hash) return fail(desired_hash);
  const auto running_hash = Digest::from_hex(*running);
  if (!running_hash) return fail(running_hash);
  return DeviceStanding{*status, *desired_hash, *running_hash, *errors == nullptr ? 0 : (*errors)->size()};
}

Result<void> add_page(const JsonReader& page, std::map<std::string, DeviceStanding>& devices) {
  const auto items = page.array("items");
  if (!items) return fail(items);
  for (const Json& item : **items) {
    if (!item.is_object()) return fail(ErrorCode::unavailable, "an item of the device list is no object");
    const auto id = JsonReader(item.as_object()).string("id");
    if (!id) return fail(id);
    auto standing = standing_of(item.as_object());
    if (!standing) return fail(standing, "device " + *id);
    devices.insert_or_assign(*id, *standing);
  }
  return {};
}

}  // namespace

HubApi::HubApi(asio::any_io_executor executor, const HubAccess& hub)
    : client_(executor, hub.url, hub.trust), key_(hub.key) {}

asio::awaitable<Result<Json>> HubApi::ask(http::Method method, std::string target, std::string body) {
  http::Client::Call call;
  call.method = method;
  call.target = std::move(target);
  call.headers.add("Authorization", "Bearer " + key_);
  call.body = std::move(body);
  call.timeout = Seconds(30);
  const std::string what = std::string(to_string(call.method)) + " " + call.target;
  const Result<http::Response> response = co_await client_.call(std::move(call));
  if (!response) co_return fail(response, what);
  if (response->status >= 300) {
    co_return fail(ErrorCode::unavailable,
                   what + " was answered " + std::to_string(response->status) + ": " + response->body);
  }
  Result<Json> answer = parse_json(response->body, {.max_bytes = 64u << 20});
  if (!answer) co_return fail(answer, what);
  if (!answer->is_object()) co_return fail(ErrorCode::unavailable, what + ": the answer is no object");
  co_return answer;
}

asio::awaitable<Result<protocol::Catalog>> HubApi::catalog() {
  const Result<Json> list = co_await ask(http::Method::get, "/api/v1/components?limit=1000", {});
  if (!list) co_return fail(list);
  const auto items = JsonReader(list->as_object()).array("items");
  if (!items) co_return fail(items);
  protocol::Catalog catalog;
  for (const Json& file : **items) {
    auto component = protocol::Component::from_json(file);
    if (!component) co_return fail(component);
    if (const auto put = catalog.put(std::move(*component)); !put) co_return fail(put);
  }
  co_return catalog;
}

asio::awaitable<Result<std::int64_t>> HubApi::change_threshold(double value) {
  const JsonObject body{{"values", JsonObject{{"hotword.threshold", value}}},
                        {"reason", "starling-fleetsim"}};
  const Result<Json> answer =
      co_await ask(http::Method::put, "/api/v1/settings", boost::json::serialize(body));
  if (!answer) co_return fail(answer);
  const auto revision = JsonReader(answer->as_object()).optional_integer("revision");
  if (!revision) co_return fail(revision);
  co_return revision->value_or(0);
}

asio::awaitable<Result<std::map<std::string, DeviceStanding>>> HubApi::simulated_devices() {
  std::map<std::string, DeviceStanding> devices;
  std::string after;
  do {
    std::string target = "/api/v1/devices?limit=1000&selector=" + http::percent_encode("simulated=true");
    if (!after.empty()) target += "&after=" + http::percent_encode(after);
    const Result<Json> page = co_await ask(http::Method::get, std::move(target), {});
    if (!page) co_return fail(page);
    const JsonReader reader(page->as_object());
    if (const auto added = add_page(reader, devices); !added) co_return fail(added);
    const auto next = reader.optional_string("next");
    if (!next) co_return fail(next);
    after = next->value_or("");
  } while (!after.empty());
  co_return devices;
}

}  // namespace starling::fleetsim
