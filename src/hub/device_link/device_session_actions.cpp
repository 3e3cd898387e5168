// The part of a session that asks the device for actions and keeps what it answers.
#include "hub/device_link/device_session.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_result_bytes = 64 * 1024;  // but for logs: only a few devices are asked for these

}  // namespace

bool DeviceSession::is_asked(const ActionRequest& action) const {
  const Device* known = device();
  if (known == nullptr || action.expires_at_ms <= sessions_.now_ms()) return false;
  return action.device.empty() ? action.selector.matches(known->labels) : action.device == request_.device_id;
}

void DeviceSession::take_open_actions() {
  const FleetState* fleet_state = state();
  if (fleet_state == nullptr) return;
  for (const auto& [id, action] : fleet_state->actions()) {
    if (is_asked(*action)) due_actions_.push_back(id);
  }
}

void DeviceSession::send_action(const ActionRequest& action) {
  if (state_ != State::live || !is_asked(action)) return;
  due_actions_.push_back(action.id);
  action.device.empty() ? sessions_.refresh_later(*this) : refresh();
}

// Some may have waited: what they asked for is looked at again.
void DeviceSession::send_due_actions() {
  if (due_actions_.empty()) return;
  const auto& actions = state()->actions();
  auto next = due_actions_.begin();
  for (; next != due_actions_.end() && !is_congested(); ++next) {
    const auto found = actions.find(*next);
    if (found == actions.end() || !is_asked(*found->second)) continue;
    const ActionRequest& action = *found->second;
    messages_.earn(1);
    awaited_results_.push_back(action.id);
    send(protocol::Action{action.id, action.name, action.parameters, action.expires_at_ms,
                          action.issued_at_ms});
  }
  due_actions_.erase(due_actions_.begin(), next);
}

// The action comes again in each session until it expires, so whoever carried it out was sent it in this one.
void DeviceSession::handle(const protocol::ActionResult& message) {
  if (std::erase(awaited_results_, message.id) == 0) {
    ++sessions_.counters_.bad_messages;
    sessions_.logger_.warning("a result of an action that the device was not asked for is dropped",
                              {{"device", request_.device_id}, {"action", message.id}});
    return;
  }
  const auto& actions = state()->actions();
  const auto asked = actions.find(message.id);
  const bool of_logs = asked != actions.end() && asked->second->name == "collect_logs";
  StoredActionResult result;
  result.fleet = request_.fleet;
  result.action_id = message.id;
  result.device_id = request_.device_id;
  result.at_ms = sessions_.now_ms();
  result.ok = message.ok;
  result.result =
      boost::json::serialize(JsonObject{{"result", message.result}, {"message", message.message}});
  if (result.result.size() > (of_logs ? protocol::max_device_message_bytes : max_result_bytes)) {
    result.ok = false;
    result.result = R"({"result":{},"message":"what it answered was too large to be kept"})";
  }
  sessions_.log_.store().save_action_results({std::move(result)}, [&sessions =
                                                                       sessions_](const Result<void>& saved) {
    if (!saved)
      sessions.logger_.error("an action's result could not be stored", {{"error", saved.error().message}});
  });
  sessions_.reported(request_.fleet, request_.device_id);
}

}  // namespace starling::hub
