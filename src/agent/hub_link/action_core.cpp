#include "agent/hub_link/action_core.hpp"

#include <algorithm>

#include "agent/settings/sealed_json.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_journal_bytes = 1u << 20;
constexpr std::size_t max_result_bytes = 8 * 1024;

}  // namespace

Result<void> ActionCore::start() {
  const auto text = disk_.read_file(path, max_journal_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return {};
  if (!text && text.error().code == ErrorCode::unavailable) return fail(text);
  const auto object = text ? unseal(*text) : Result<JsonObject>(fail(text));
  const auto actions = object ? JsonReader(*object).array("actions") : Result<const JsonArray*>(fail(object));
  if (!actions) {
    log_.error("the journal of actions cannot be used and is started anew",
               {{"error", actions.error().message}});
    return {};
  }
  for (const Json& json : **actions) {
    if (!json.is_object()) continue;
    const JsonReader reader(json.get_object());
    const auto id = reader.string("id");
    const auto expires = reader.integer("expires_at_ms");
    const auto done = reader.boolean("done");
    if (!id || !expires || !done) continue;
    Remembered one{*id, *expires, *done, {}};
    one.result.id = *id;
    one.result.ok = reader.boolean("ok").value_or(false);
    one.result.message = reader.string("message").value_or("");
    if (const auto result = reader.object("result")) one.result.result = **result;
    remembered_.push_back(std::move(one));
  }
  return {};
}

protocol::ActionResult ActionCore::handle(const protocol::Action& action, std::int64_t hub_now_ms) {
  protocol::ActionResult answer;
  answer.id = action.id;
  const auto known = std::find_if(remembered_.begin(), remembered_.end(),
                                  [&](const Remembered& one) { return one.id == action.id; });
  if (known != remembered_.end()) {
    if (known->done) return known->result;
    answer.message = "a restart of the agent interrupted it; it is not carried out again";
    return answer;
  }
  if (action.expires_at_ms <= hub_now_ms) {
    answer.message = "it had expired when it reached the device";
    return answer;
  }
  const auto runner = runners_.find(action.name);
  if (runner == runners_.end()) {
    answer.message = "this agent does not know the action '" + action.name + "'";
    return answer;
  }
  make_room(hub_now_ms);
  remembered_.push_back({action.id, action.expires_at_ms, false, {}});
  if (auto saved = save(); !saved) {
    remembered_.pop_back();
    answer.message = "it was not started: " + saved.error().message;
    return answer;
  }
  auto result = runner->second->run(action);
  answer.ok = result.has_value();
  if (!result) {
    answer.message = result.error().message;
  } else if (boost::json::serialize(*result).size() > max_result_bytes) {
    answer.message = "the result is too long to be sent";
  } else {
    answer.result = std::move(*result);
  }
  log_.info("action carried out", {{"action", action.name}, {"id", action.id}, {"ok", answer.ok}});
  remembered_.back().done = true;
  remembered_.back().result = answer;
  if (auto saved = save(); !saved) {
    log_.warning("the result of an action is not kept", {{"error", saved.error().message}});
  }
  return answer;
}

// Expired ones first: they cannot come again.
void ActionCore::make_room(std::int64_t hub_now_ms) {
  if (remembered_.size() < max_remembered) return;
  std::erase_if(remembered_, [&](const Remembered& one) { return one.expires_at_ms <= hub_now_ms; });
  if (remembered_.size() >= max_remembered) remembered_.erase(remembered_.begin());
}

Result<void> ActionCore::save() {
  JsonArray actions;
  for (const Remembered& one : remembered_) {
    JsonObject json;
    json["id"] = one.id;
    json["expires_at_ms"] = one.expires_at_ms;
    json["done"] = one.done;
    json["ok"] = one.result.ok;
    json["message"] = one.result.message;
    json["result"] = one.result.result;
    actions.push_back(std::move(json));
  }
  JsonObject object;
  object["actions"] = std::move(actions);
  return replace_file(disk_, path, seal(std::move(object)), 0600);
}

Result<JsonObject> IdentifyRunner::run(const protocol::Action&) {
  log_.info("identify: this is the device that somebody is looking for", {{"device", device_id_}});
  JsonObject result;
  result["device_id"] = device_id_;
  return result;
}

}  // namespace starling::agent
