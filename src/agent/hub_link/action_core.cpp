#include "agent/hub_link/action_core.hpp"

#include <algorithm>

#include "agent/settings/sealed_json.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_action_journal_bytes = 1u << 20;
constexpr std::size_t max_result_bytes = 248 * 1024;  // beside the rest of a message
constexpr std::size_t max_kept_bytes = 8 * 1024;

}  // namespace

Result<void> ActionCore::start() {
  const auto text = disk_.read_file(path, max_action_journal_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return {};
  if (!text && !is_damage(text.error())) return fail(text);
  const auto object = text ? unseal(*text) : Result<JsonObject>(fail(text));
  const auto actions = object ? JsonReader(*object).array("actions") : Result<const JsonArray*>(fail(object));
  if (!actions) {
    log_.error("the journal of actions cannot be used and is started anew",
               {{"error", actions.error().message}});
    lost_ = true;
    return {};
  }
  lost_ = JsonReader(*object).optional_boolean("lost").value_or(std::nullopt).value_or(false);
  lost_at_ms_ = JsonReader(*object).optional_integer("lost_at_ms").value_or(std::nullopt).value_or(0);
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

Result<void> ActionCore::forget_results(std::string_view carried_out) {
  if (remembered_.empty() && !lost_) return {};
  for (Remembered& one : remembered_) {
    const bool is_this = one.id == carried_out;
    one.done |= is_this;
    one.result = {one.id, is_this || one.result.ok, {}, is_this ? "" : "the device was reset since"};
  }
  return save();
}

void ActionCore::connected(std::int64_t hub_now_ms) {
  if (!std::exchange(lost_, false)) return;
  lost_at_ms_ = hub_now_ms;
  if (auto saved = save(); !saved) {
    log_.error("the new journal of actions cannot be saved", {{"error", saved.error().message}});
  }
}

std::string ActionCore::why_not(const protocol::Action& action, std::int64_t hub_now_ms) {
  if (action.expires_at_ms <= hub_now_ms) return "it had expired when it reached the device";
  if (lost_ || (lost_at_ms_ != 0 && action.issued_at_ms <= lost_at_ms_)) {
    return "the device has lost its journal of actions, so it may have been carried out already; issue it "
           "again";
  }
  if (!runners_.contains(action.name)) return "this agent does not know the action '" + action.name + "'";
  // Expired ones cannot come again.
  std::erase_if(remembered_, [&](const Remembered& one) {
    return one.expires_at_ms <= hub_now_ms && !in_work_.contains(one.id);
  });
  if (remembered_.size() >= max_remembered) {
    return "the device remembers " + std::to_string(max_remembered) +
           " actions that have not expired; issue it later";
  }
  return {};
}

void ActionCore::handle(const protocol::Action& action, std::int64_t hub_now_ms, Answer answer) {
  if (in_work_.contains(action.id)) return;
  protocol::ActionResult refusal;
  refusal.id = action.id;
  const auto known = std::ranges::find(remembered_, action.id, &Remembered::id);
  if (known != remembered_.end()) {
    if (known->done) return answer(known->result);
    refusal.message = "a restart of the agent interrupted it; it is not carried out again";
    return answer(refusal);
  }
  refusal.message = why_not(action, hub_now_ms);
  if (!refusal.message.empty()) return answer(refusal);
  remembered_.push_back({action.id, action.expires_at_ms, false, {}});
  if (auto saved = save(); !saved) {
    remembered_.pop_back();
    refusal.message = "nothing was done, as it could not be noted down first: " + saved.error().message;
    return answer(refusal);
  }
  in_work_.insert(action.id);
  runners_.find(action.name)
      ->second->run(action, [this, action, answer = std::move(answer)](Result<JsonObject> result) {
        answer(finish(action, std::move(result)));
      });
}

protocol::ActionResult ActionCore::finish(const protocol::Action& action, Result<JsonObject> result) {
  in_work_.erase(action.id);
  protocol::ActionResult answer;
  answer.id = action.id;
  answer.ok = result.has_value();
  if (!result) {
    answer.message = result.error().message;
  } else if (boost::json::serialize(*result).size() > max_result_bytes) {
    answer.ok = false;
    answer.message = "the result is too long to be sent";
  } else {
    answer.result = std::move(*result);
  }
  log_.info("action carried out", {{"action", action.name}, {"id", action.id}, {"ok", answer.ok}});
  const auto known = std::ranges::find(remembered_, action.id, &Remembered::id);
  known->done = true;
  known->result = answer;
  if (boost::json::serialize(answer.result).size() > max_kept_bytes) {
    known->result.result = {};
    known->result.message = "it was carried out; the result was too long to be kept";
  }
  if (auto saved = save(); !saved) {
    log_.warning("the result of an action is not kept", {{"error", saved.error().message}});
  }
  return answer;
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
  object["lost"] = lost_;
  object["lost_at_ms"] = lost_at_ms_;
  return replace_file(disk_, path, seal(std::move(object)), 0600);
}

}  // namespace starling::agent
