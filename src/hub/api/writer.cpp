#include "hub/api/writer.hpp"

#include <fmt/format.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/crypto.hpp"
#include "base/json_text.hpp"
#include "hub/settings/assets.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_idempotency_bytes = 255;

Digest request_hash(const http::Request& request) {
  return sha256(fmt::format("{} {}\n{}", http::to_string(request.method), request.target, request.body));
}

http::Response as_response(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

std::string answer_body(const PlannedWrite& planned, std::int64_t revision, bool with_secret) {
  JsonObject body;
  if (planned.edits.empty()) {
    body["revision"] = nullptr;
  } else {
    body["revision"] = revision;
  }
  for (const auto& [name, value] : planned.answer)
    body[name] = value;
  const auto& [secret_name, secret] = planned.secret;
  if (with_secret && !secret_name.empty()) body[secret_name] = secret;
  return json_text(body);
}

}  // namespace

// Held by the request that is being carried out; ends when that leaves.
struct Writer::Turn {
  explicit Turn(const asio::any_io_executor& executor)
      : over(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer over;
};

// Written by the plan, read when it is durable. Shared, because the plan may outlive a handler that is
// dropped.
struct Writer::Outcome {
  int status = 200;
  bool secret = false;
  std::string body;
  std::optional<http::Response> refusal;
};

asio::awaitable<Reply> Writer::write(const Call& call, Write write) {
  const auto header = call.request.headers.find("Idempotency-Key");
  if (!header) co_return co_await perform(call, std::move(write), {});
  if (header->empty() || header->size() > max_idempotency_bytes) {
    co_return fail(ErrorCode::invalid_argument, "Idempotency-Key must have 1 to 255 characters");
  }
  co_return co_await write_once(call, std::move(write), std::string(*header));
}

asio::awaitable<void> Writer::wait_for_turn(RequestId id) {
  while (true) {
    const auto current = in_flight_.find(id);
    if (current == in_flight_.end()) break;
    const std::shared_ptr<Turn> turn = current->second;
    boost::system::error_code ended;
    auto over = turn->over.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    co_await std::move(over);
  }
  in_flight_[id] = std::make_shared<Turn>(log_.executor());
}

asio::awaitable<Reply> Writer::write_once(const Call& call, Write write, std::string idempotency_id) {
  const std::string principal = call.principal.id();
  const RequestId id{write.fleet, principal, idempotency_id};
  co_await wait_for_turn(id);
  struct Leave {
    Writer& writer;
    const RequestId& id;
    ~Leave() {
      const auto turn = writer.in_flight_.extract(id);
      if (turn) turn.mapped()->over.cancel();
    }
  };
  const Leave leave{*this, id};

  const auto known = co_await log_.find_answer(write.fleet, principal, idempotency_id);
  if (!known) co_return fail(known);
  if (*known) {
    if ((*known)->request_hash != request_hash(call.request)) {
      co_return fail(ErrorCode::invalid_argument,
                     "this Idempotency-Key was used for another request; take a new one for each write");
    }
    co_return as_response((*known)->status, (*known)->body);
  }
  co_return co_await perform(call, std::move(write), idempotency_id);
}

asio::awaitable<Reply> Writer::perform(const Call& call, Write write, const std::string& idempotency_id) {
  const auto outcome = std::make_shared<Outcome>();
  std::optional<Answer> kept;
  if (!idempotency_id.empty()) {
    kept = Answer{write.fleet, call.principal.id(), idempotency_id, request_hash(call.request), 0, 200, {}};
    kept->at_ms = clock_.wall().time_since_epoch().count();
  }
  auto plan = [outcome, kept, planner = std::move(write.plan), actor = call.actor(), action = write.action,
               reason = write.reason](const FleetState& head, std::int64_t revision) -> Result<Draft> {
    auto planned = planner(head);
    if (!planned) return fail(planned);
    outcome->refusal = std::move(planned->refusal);
    if (outcome->refusal) return fail(ErrorCode::conflict, "refused");
    outcome->status = planned->status;
    outcome->secret = !planned->secret.first.empty();
    outcome->body = answer_body(*planned, revision, true);
    Draft draft{actor, action, reason, {}, std::move(planned->records), kept};
    if (draft.answer) {
      draft.answer->status = planned->status;
      draft.answer->body = answer_body(*planned, revision, false);
    }
    draft.edits = std::move(planned->edits);
    return draft;
  };
  auto appended = co_await log_.append(write.fleet, std::move(plan));
  if (!appended) {
    if (outcome->refusal) co_return std::move(*outcome->refusal);
    co_return fail(appended);
  }
  if (write.done) write.done(*appended);
  http::Response response = as_response(outcome->status, std::move(outcome->body));
  if (outcome->secret) response.headers.set("Cache-Control", "no-store");
  co_return response;
}

JsonObject write_answer(const std::vector<Edit>& edits, const Masking& masking, std::size_t targeted) {
  JsonArray changed;
  for (const Edit& edit : edits) {
    const auto setting = edit.kind == EntityKind::setting ? SettingId::parse(edit.id) : Result<SettingId>();
    changed.emplace_back(edit.kind == EntityKind::setting && setting ? setting->key : edit.id);
  }
  JsonArray masked;
  for (const MaskedValue& value : masking.first) {
    masked.push_back(JsonObject{{"key", value.key},
                                {"device", value.device->id},
                                {"device_name", value.device->name},
                                {"layer", value.layer.text()}});
  }
  return JsonObject{{"changed", std::move(changed)},
                    {"masked", std::move(masked)},
                    {"masked_count", masking.count},
                    {"targeted", targeted}};
}

void add_missing_assets(const FleetState& head, const std::vector<Edit>& edits, JsonObject& answer) {
  JsonArray missing;
  for (const std::string& name : missing_assets(head, edits))
    missing.emplace_back(name);
  if (!missing.empty()) answer["missing_assets"] = std::move(missing);
}

}  // namespace starling::hub
