#include "hub/api/call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/uuid.hpp"
#include "hub/settings/scope.hpp"

namespace starling::hub {

std::string Principal::id() const {
  switch (kind) {
    case Kind::anonymous: return "anonymous";
    case Kind::key: return "key:" + key->id;
    case Kind::device: return "device:" + device_id;
  }
  return {};
}

Actor Principal::actor(const FleetState* fleet) const {
  Actor actor{id(), {}};
  if (kind == Kind::key) actor.principal_name = key->name;
  if (kind == Kind::device && fleet != nullptr) {
    if (const Device* device = fleet->device(device_id)) actor.principal_name = device->name;
  }
  return actor;
}

Reach Reach::everything() {
  Reach reach;
  reach.everything_ = true;
  return reach;
}

Reach Reach::device(std::string id) {
  Reach reach;
  reach.device_ = std::move(id);
  return reach;
}

void Reach::add(const std::shared_ptr<const Key>& key, const Grant& grant) {
  key_ = key;
  if (grant.selector.empty()) everything_ = true;
  selectors_.push_back(&grant.selector);
}

bool Reach::covers(const Device& device) const {
  return everything_ || (!device_.empty() && device.id == device_) || covers_labels(device.labels);
}

Places Reach::covered(const FleetState& state) const {
  const DeviceIndex& index = state.device_index();
  if (everything_) return index.all();
  Places places;
  if (const auto own = index.place_of(device_)) places.push_back(*own);
  for (const auto* selector : selectors_) {
    const Places more = index.matching(*selector);
    places.insert(places.end(), more.begin(), more.end());
  }
  std::ranges::sort(places);
  const auto repeats = std::ranges::unique(places);
  places.erase(repeats.begin(), repeats.end());
  return places;
}

bool Reach::covers_labels(const protocol::Labels& labels) const {
  if (everything_) return true;
  for (const auto* selector : selectors_) {
    if (selector->matches(labels)) return true;
  }
  return false;
}

bool Reach::covers_selector(const protocol::Selector& selector) const {
  if (everything_) return true;
  for (const auto* outer : selectors_) {
    if (within_selector(selector, *outer)) return true;
  }
  return false;
}

const std::string& Call::value(std::string_view name) const {
  static const std::string none;
  for (std::size_t i = 0; i < path.count; ++i) {
    if (path.values[i].name == name) return path.values[i].text;
  }
  return none;
}

Result<const Device*> Call::device() const {
  const std::string& id = value("uuid");
  const Device* found = fleet->device(canonical_uuid(id).value_or(id));
  if (found == nullptr || !reach.covers(*found)) {
    return fail(ErrorCode::not_found, fmt::format("no device has the UUID '{}'", id));
  }
  return found;
}

Result<std::optional<std::int64_t>> Call::query_integer(std::string_view name, std::int64_t least,
                                                        std::int64_t most) const {
  const auto text = query(name);
  if (!text) return std::nullopt;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size() || number < least || number > most) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("query parameter '{}' must be an integer from {} to {}", name, least, most));
  }
  return number;
}

Result<std::optional<bool>> Call::query_boolean(std::string_view name) const {
  const auto text = query(name);
  if (!text) return std::nullopt;
  if (*text == "true" || *text == "1") return true;
  if (*text == "false" || *text == "0") return false;
  return fail(ErrorCode::invalid_argument, fmt::format("query parameter '{}' must be true or false", name));
}

Result<Json> Call::json() const {
  auto parsed = parse_json(request.body);
  if (parsed) return parsed;
  Error error = parsed.error().within("the request body");
  if (error.code == ErrorCode::invalid_argument) error.code = ErrorCode::malformed;
  return std::unexpected(std::move(error));
}

Result<JsonObject> Call::object(std::initializer_list<std::string_view> fields) const {
  auto parsed = json();
  if (!parsed) return fail(parsed);
  JsonObject* body = parsed->if_object();
  if (body == nullptr) return fail(ErrorCode::invalid_argument, "the request body must be a JSON object");
  if (auto known = JsonReader(*body).only(fields); !known) return fail(known);
  return std::move(*body);
}

Result<JsonObject> Call::optional_object(std::initializer_list<std::string_view> fields) const {
  if (request.body.empty()) return JsonObject{};
  return object(fields);
}

Result<std::string> Call::reason(const JsonObject* body) const {
  constexpr std::size_t max_bytes = 1000;
  if (body != nullptr) {
    auto given = JsonReader(*body).optional_string("reason", max_bytes);
    if (!given) return fail(given);
    if (*given) return std::move(**given);
  }
  const std::string_view text = query("reason").value_or("");
  if (text.size() > max_bytes) {
    return fail(ErrorCode::invalid_argument, "query parameter 'reason' is longer than 1000 bytes");
  }
  return std::string(text);
}

Result<PageRequest> PageRequest::of(const Call& call) {
  auto limit = call.query_integer("limit", 1, 1000);
  if (!limit) return fail(limit);
  return PageRequest{static_cast<std::size_t>(limit->value_or(100)),
                     std::string(call.query("after").value_or(""))};
}

http::Response page_response(JsonArray items, std::optional<std::string> next) {
  JsonObject body{{"items", std::move(items)}, {"next", nullptr}};
  if (next) body["next"] = *next;
  return http::json_response(body);
}

}  // namespace starling::hub
