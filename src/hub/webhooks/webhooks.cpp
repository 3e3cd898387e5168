#include "hub/webhooks/webhooks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/uuid.hpp"
#include "hub/device_link/running_release.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

constexpr Seconds gathering{10};
constexpr std::size_t named_devices = 50;
constexpr Milliseconds patience{15'000};
constexpr std::size_t max_answer_bytes = std::size_t{64} << 10;
constexpr std::string_view secret_mark = "whsec_";
constexpr int gone = 410;

double chance() {
  return static_cast<double>(static_cast<unsigned char>(random_bytes(1).front())) / 256.0;
}

std::string state_in(const Json& rollout) {
  const Json* state = rollout.is_object() ? rollout.get_object().if_contains("state") : nullptr;
  return state != nullptr && state->is_string() ? std::string(state->get_string()) : std::string();
}

}  // namespace

Webhooks::Webhooks(Hub& hub, asio::any_io_executor executor, TaskGroup& tasks, const Clock& clock,
                   Logger logger, Options options)
    : hub_(hub),
      executor_(std::move(executor)),
      tasks_(tasks),
      clock_(clock),
      logger_(logger),
      secret_(std::move(options.secret)) {
  for (http::Url& url : options.urls)
    receivers_.push_back({std::move(url), {}});
  for (const std::string& fleet : hub_.changes().fleets()) {
    for (const auto& [id, device] : hub_.changes().published(fleet)->devices()) {
      const DeviceRecord* record = hub_.records().find(id);
      if (record != nullptr && record->software.refused) failed_.emplace(id, record->software.refused);
    }
  }
  hub_.changes().observe(*this);
  hub_.sessions().observe(*this);
}

Webhooks::~Webhooks() {
  hub_.sessions().stop_observing(*this);
  hub_.changes().stop_observing(*this);
}

void Webhooks::on_change(const SharedChange& change, const FleetState&) {
  for (const Edit& edit : change->edits) {
    if (edit.kind == EntityKind::device && edit.after.is_null()) failed_.erase(edit.id);
    const bool stopped = edit.kind == EntityKind::rollout && state_in(edit.after) == "stopped";
    if (!stopped || state_in(edit.before) == "stopped") continue;
    JsonObject data{{"fleet", change->fleet}, {"rollout", edit.id}, {"revision", change->revision}};
    for (const char* member : {"why", "values", "failures"}) {
      if (const Json* value = edit.after.get_object().if_contains(member)) data[member] = *value;
    }
    say("rollout.stopped", std::move(data));
  }
}

// Of each device that it is through, and of each release only once.
void Webhooks::on_reported(const std::string& fleet, const std::string& device_id) {
  const DeviceRecord* record = hub_.records().find(device_id);
  const FleetState* state = hub_.changes().published(fleet);
  const Device* device = state == nullptr ? nullptr : state->device(device_id);
  if (record == nullptr || device == nullptr || !record->software.refused) {
    failed_.erase(device_id);
    return;
  }
  // A section with settings of its own names none by its hash: then the agent says which, after its
  // handshake.
  std::string version = version_of(*state, record->software.refused);
  if (version.empty()) version = release_in_work(*record);
  if (version.empty() && release_state(*record).empty()) return;
  Digest& known = failed_[device_id];
  if (std::exchange(known, record->software.refused) == record->software.refused) return;
  Failures& failures = fresh_[{fleet, std::move(version)}];
  if (failures.count++ == 0) failures.first = clock_.steady();
  if (failures.devices.size() >= named_devices) return;
  const DeviceFacts facts = DeviceFacts::parse(record->facts).value_or(DeviceFacts{});
  failures.devices.push_back(JsonObject{
      {"device", device_id},
      {"name", device->name},
      {"error", facts.software_errors.empty() ? Json() : Json(facts.software_errors.front().message)}});
}

// "" of what is no release, or none any more.
std::string Webhooks::version_of(const FleetState& state, const Digest& section) {
  if (const auto known = versions_.find(section); known != versions_.end()) return known->second;
  for (const auto& [version, release] : state.releases())
    versions_.emplace(protocol::hash_of(protocol::SoftwareDocument{version}.to_json()), version);
  const auto found = versions_.find(section);
  return found == versions_.end() ? "" : found->second;
}

void Webhooks::say(std::string_view type, JsonObject data) {
  const std::string body = boost::json::serialize(
      JsonObject{{"type", type}, {"timestamp", to_rfc3339(clock_.wall())}, {"data", std::move(data)}});
  const std::string id = "msg_" + make_uuid_v4();
  for (Receiver& receiver : receivers_) {
    if (receiver.queue.add({id, body, clock_.steady()}))
      logger_.error("a webhook takes too long: its oldest event is dropped",
                    {{"url", receiver.url.origin()}});
  }
}

void Webhooks::tick() {
  const SteadyTime now = clock_.steady();
  std::erase_if(fresh_, [&](auto& entry) {
    auto& [of, failures] = entry;
    if (now - failures.first < gathering) return false;
    say("update.failed", JsonObject{{"fleet", of.first},
                                    {"version", of.second},
                                    {"count", failures.count},
                                    {"devices", std::move(failures.devices)}});
    return true;
  });
  for (Receiver& receiver : receivers_) {
    if (const WebhookEvent* event = receiver.queue.take(now))
      tasks_.start("webhook", deliver(receiver, event->id, event->body));
  }
}

asio::awaitable<void> Webhooks::deliver(Receiver& receiver, std::string id, std::string body) {
  const std::int64_t timestamp = std::chrono::floor<Seconds>(clock_.wall()).time_since_epoch().count();
  http::Client::Call call;
  call.method = http::Method::post;
  call.target = receiver.url.target;
  call.headers.set("User-Agent", "starling-hub/" STARLING_VERSION);
  call.headers.set("webhook-id", id);
  call.headers.set("webhook-timestamp", std::to_string(timestamp));
  call.headers.set("webhook-signature", webhook_signature(secret_, id, timestamp, body));
  call.body = std::move(body);
  call.timeout = patience;
  call.max_response_bytes = max_answer_bytes;
  http::Client client(executor_, receiver.url, {});
  auto asked = client.call(std::move(call));
  const auto answer = co_await std::move(asked);
  if (answer && answer->status >= 200 && answer->status < 300) {
    receiver.queue.delivered();
    co_return;
  }
  const std::string why = answer ? fmt::format("it answered {}", answer->status) : answer.error().message;
  logger_.warning("a webhook did not take an event", {{"url", receiver.url.origin()}, {"why", why}});
  if (answer && answer->status == gone) {
    receiver.queue.delivered();
  } else if (!receiver.queue.failed(clock_.steady(), chance())) {
    logger_.error("a webhook has not taken an event for a day: it is dropped",
                  {{"url", receiver.url.origin()}, {"event", id}});
  }
}

Result<std::string> webhook_secret(const std::filesystem::path& data) {
  const std::filesystem::path path = data / "webhook.secret";
  auto text = read_file(path, 1024);
  if (!text && text.error().code == ErrorCode::not_found) {
    std::string made = random_bytes(32);
    const auto written =
        write_file_durably(path, fmt::format("{}{}\n", secret_mark, base64_encode(made)), 0600);
    return written ? Result<std::string>(std::move(made)) : fail(written);
  }
  if (!text) return fail(text);
  text->resize(std::min(text->find_first_of("=\n"), text->size()));
  if (text->starts_with(secret_mark)) {
    std::string encoded = text->substr(secret_mark.size());
    std::ranges::replace(encoded, '+', '-');
    std::ranges::replace(encoded, '/', '_');
    if (auto secret = base64url_decode(encoded); secret && secret->size() >= 16) return secret;
  }
  return fail(
      ErrorCode::corrupted,
      fmt::format("{} holds no secret like whsec_...: put it back, or remove it and give receivers the "
                  "new one",
                  path.string()));
}

}  // namespace starling::hub
