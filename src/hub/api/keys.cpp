#include "hub/api/keys.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "hub/api/authentication.hpp"
#include "hub/device_link/device_fields.hpp"

namespace starling::hub {

namespace {

constexpr std::int64_t ms_of_day = 86'400'000;
constexpr std::int64_t max_days = 3650;

bool is_admin_key(const Key& key, std::string_view fleet, std::int64_t now_ms) {
  if (key.enrolment || (key.expires_at_ms != 0 && key.expires_at_ms <= now_ms)) return false;
  return std::ranges::any_of(key.grants, [&](const Grant& grant) {
    return grant.fleet == fleet && grant.role == Role::admin && grant.selector.empty();
  });
}

JsonObject shown(const Key& key) {
  JsonArray grants;
  for (const Grant& grant : key.grants) {
    JsonObject entry{{"fleet", grant.fleet}, {"selector", grant.selector.canonical()}};
    if (!key.enrolment) entry["role"] = to_string(grant.role);
    grants.push_back(std::move(entry));
  }
  return JsonObject{{"id", key.id},
                    {"name", key.name},
                    {"kind", key.enrolment ? "enrolment" : "api"},
                    {"grants", std::move(grants)},
                    {"created_at", shown_time(key.created_at_ms)},
                    {"expires_at", shown_time(key.expires_at_ms)}};
}

Result<Grant> grant_of(const JsonReader& reader, bool enrolment, std::string fleet) {
  Grant grant;
  grant.fleet = std::move(fleet);
  const auto role = reader.optional_string("role", 32);
  if (!role) return fail(role);
  if (enrolment ? role->has_value() : !role->has_value()) {
    return fail(ErrorCode::invalid_argument,
                enrolment ? "an enrolment key has no role: it may only register devices"
                          : "the role is missing: viewer, guardian, operator or admin",
                "/role");
  }
  if (*role) {
    const auto parsed = parse_role(**role);
    if (!parsed) return fail(ErrorCode::invalid_argument, parsed.error().message, "/role");
    grant.role = *parsed;
  }
  const auto text = reader.optional_string("selector", 512);
  if (!text) return fail(text);
  auto selector = protocol::Selector::parse(text->value_or(""));
  if (!selector) return fail(ErrorCode::invalid_argument, selector.error().message, "/selector");
  grant.selector = std::move(*selector);
  return grant;
}

Result<Key> key_of(const JsonObject& body, const std::string& fleet, std::int64_t now_ms) {
  const JsonReader reader(body);
  Key key;
  auto name = optional_name(reader, "name");
  if (!name) return fail(name);
  if (!*name) return fail(ErrorCode::invalid_argument, "the name is missing", "/name");
  key.name = std::move(**name);
  const auto kind = reader.optional_string("kind", 32);
  if (!kind) return fail(kind);
  if (*kind && **kind != "api" && **kind != "enrolment") {
    return fail(ErrorCode::invalid_argument, "a key's kind is api or enrolment", "/kind");
  }
  key.enrolment = kind->value_or("api") == "enrolment";
  auto grant = grant_of(reader, key.enrolment, fleet);
  if (!grant) return fail(grant);
  key.grants.push_back(std::move(*grant));
  const auto days = reader.optional_integer("expires_in_days");
  if (!days) return fail(days);
  if (*days && (**days < 1 || **days > max_days)) {
    return fail(ErrorCode::invalid_argument, "expires_in_days is from 1 to 3650", "/expires_in_days");
  }
  key.created_at_ms = now_ms;
  if (*days) key.expires_at_ms = now_ms + **days * ms_of_day;
  return key;
}

Result<PlannedWrite> plan_key(const FleetState& head, const Key& key, const std::string& text, int status) {
  PlannedWrite write;
  write.edits.push_back(head.edit(EntityKind::key, key.id, key.to_json()));
  write.status = status;
  write.answer = {{"id", key.id}};
  write.secret = {"key", text};
  return write;
}

Result<PlannedWrite> plan_rotation(const FleetState& head, const std::string& id, const std::string& text) {
  const auto current = head.keys().find(id);
  if (current == head.keys().end())
    return fail(ErrorCode::not_found, fmt::format("there is no key '{}'", id));
  Key key = *current->second;
  key.secret_hash = sha256(text);
  return plan_key(head, key, text, 200);
}

Result<PlannedWrite> plan_revocation(const FleetState& head, const std::string& id, std::int64_t now_ms) {
  const auto current = head.keys().find(id);
  if (current == head.keys().end())
    return fail(ErrorCode::not_found, fmt::format("there is no key '{}'", id));
  const auto admins = std::ranges::count_if(
      head.keys(), [&](const auto& entry) { return is_admin_key(*entry.second, head.fleet(), now_ms); });
  if (is_admin_key(*current->second, head.fleet(), now_ms) && admins == 1) {
    return fail(ErrorCode::conflict, "this is the last admin key; make another one first");
  }
  PlannedWrite write;
  write.edits.push_back(head.edit(EntityKind::key, id, Json()));
  write.answer = write_answer(write.edits, {}, 0);
  return write;
}

}  // namespace

void Keys::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/keys",
              {Role::admin},
              {"limit", "after"},
              [this](const Call& call) { return list(call); },
              true,
              true});
  router.add(
      {http::Method::post, "/api/v1/keys", {Role::admin}, {}, [this](Call& call) { return create(call); }});
  router.add({http::Method::post, "/api/v1/keys/{id}/rotate", {Role::admin}, {"reason"}, [this](Call& call) {
                return rotate(call);
              }});
  router.add({http::Method::del, "/api/v1/keys/{id}", {Role::admin}, {"reason"}, [this](Call& call) {
                return revoke(call);
              }});
}

Reply Keys::list(const Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) return fail(allowed);
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  const auto& keys = call.fleet->keys();
  JsonArray items;
  std::string last;
  auto at = keys.upper_bound(page->after);
  for (; at != keys.end() && items.size() < page->limit; ++at) {
    last = at->first;
    items.push_back(shown(*at->second));
  }
  return page_response(std::move(items), at == keys.end() ? std::nullopt : std::optional(last));
}

asio::awaitable<Reply> Keys::create(Call& call) {
  const auto body = call.object({"name", "kind", "role", "selector", "fleet", "expires_in_days", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  const auto fleet = JsonReader(*body).optional_string("fleet", 64);
  if (!fleet) co_return fail(fleet);
  const std::string fleet_name = fleet->value_or(call.fleet_name);
  const auto reach = Authentication::reach(call.principal, {Role::admin}, fleet_name);
  if (!reach) co_return fail(reach);
  if (auto allowed = check_whole_fleet(*reach); !allowed) co_return fail(allowed);
  auto key = key_of(*body, fleet_name, services_.now_ms());
  if (!key) co_return fail(key);
  NewKey made = make_key(key->enrolment);
  key->id = made.id;
  key->secret_hash = sha256(made.text);
  Writer::Write write{fleet_name, "key.create", *reason,
                      [key = std::move(*key), text = std::move(made.text)](const FleetState& head) {
                        return plan_key(head, key, text, 201);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Keys::rotate(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  const std::string& id = call.value("id");
  const auto current = call.fleet->keys().find(id);
  if (current == call.fleet->keys().end()) {
    co_return fail(ErrorCode::not_found, fmt::format("there is no key '{}'", id));
  }
  Writer::Write write{call.fleet_name, "key.rotate", *reason,
                      [id, text = make_key_text(id, current->second->enrolment)](const FleetState& head) {
                        return plan_rotation(head, id, text);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Keys::revoke(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  Writer::Write write{call.fleet_name, "key.revoke", *reason,
                      [id = call.value("id"), now_ms = services_.now_ms()](const FleetState& head) {
                        return plan_revocation(head, id, now_ms);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

}  // namespace starling::hub
