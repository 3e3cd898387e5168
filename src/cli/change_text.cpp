#include "cli/change_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/uuid.hpp"
#include "cli/answer.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/release_queries.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t edits_in_line = 3;
constexpr std::size_t widest_value = 48;

std::string shown(const Json* value) {
  if (value == nullptr || value->is_null()) return "nothing";
  return cut_to_width(show_value(*value), widest_value);
}

std::string created_or_not(const Json* before, const Json* after, std::string_view created,
                           std::string_view changed, std::string_view removed) {
  if (before == nullptr) return std::string(created);
  return std::string(after == nullptr ? removed : changed);
}

std::string describe_setting(std::string_view id, const Json* before, const Json* after, DeviceNames& names) {
  // The layer's name may contain spaces, a key cannot.
  const std::size_t space = id.rfind(' ');
  const std::string_view key = space == std::string_view::npos ? id : id.substr(space + 1);
  const std::string layer =
      space == std::string_view::npos ? std::string() : " on " + describe_layer(id.substr(0, space), names);
  if (key == "persona.active") {
    const std::string from = before == nullptr ? "none" : shown(before);
    return fmt::format("persona {} → {}{}", from, after == nullptr ? "none" : shown(after), layer);
  }
  if (before == nullptr) return fmt::format("{} = {}{}", key, shown(after), layer);
  if (after == nullptr) return fmt::format("{} unset (was {}){}", key, shown(before), layer);
  return fmt::format("{} {} → {}{}", key, shown(before), shown(after), layer);
}

std::string describe_device(const std::string& id, const Json* before, const Json* after,
                            DeviceNames& names) {
  const Json* known = after != nullptr ? after : before;
  std::string name = known == nullptr ? std::string() : text_at(as_object(*known), {"name"});
  if (name.empty()) name = names.of(id);
  if (before == nullptr) return fmt::format("device {} registered", name);
  if (after == nullptr) return fmt::format("device {} removed", name);
  std::string differences;
  for (const auto& [field, value] : as_object(*after)) {
    const Json* old = as_object(*before).if_contains(field);
    if (old != nullptr && *old == value) continue;
    const bool pairs = value.is_object() && (old == nullptr || old->is_object());
    const auto text = [pairs](const Json* v) {
      return pairs && v != nullptr ? "[" + joined_pairs(as_object(*v)) + "]" : shown(v);
    };
    differences += fmt::format("{} {} {} → {}", differences.empty() ? "" : ",", std::string_view(field),
                               text(old), text(&value));
  }
  return fmt::format("device {}:{}", name, differences.empty() ? " changed" : differences);
}

}  // namespace

DeviceNames::DeviceNames(const Connection& connection, const Clock& clock) {
  auto api = ApiClient::open(connection, clock);
  if (api) api_ = std::move(*api);
}

std::string DeviceNames::of(const std::string& uuid) {
  if (const auto known = known_.find(uuid); known != known_.end()) return known->second;
  if (!api_ || lookups_left_ == 0 || !is_uuid(uuid)) return uuid;
  --lookups_left_;
  const auto device = api_->get(path_of({"devices", uuid}));
  const std::string name = device ? text_at(*device, {"device_name"}) : std::string();
  return known_.emplace(uuid, name.empty() ? uuid : name).first->second;
}

std::string describe_layer(std::string_view layer, DeviceNames& names) {
  constexpr std::string_view policy = "policy";
  if (layer == policy) return "the fleet's policy";
  if (layer.starts_with("policy/"))
    return "policy of " + describe_layer(layer.substr(policy.size() + 1), names);
  if (layer == "fleet") return "the fleet";
  const std::size_t colon = layer.find(':');
  if (colon == std::string_view::npos) return std::string(layer);
  const std::string_view kind = layer.substr(0, colon);
  const std::string scope(layer.substr(colon + 1));
  return kind == "device" ? names.of(scope) : fmt::format("{} {}", kind, scope);
}

std::string describe_edit(const JsonObject& edit, DeviceNames& names) {
  const std::string kind = text_at(edit, {"kind"});
  const std::string id = text_at(edit, {"id"});
  const Json* before = find(edit, {"before"});
  const Json* after = find(edit, {"after"});
  if (kind == "setting") return describe_setting(id, before, after, names);
  if (kind == "device") return describe_device(id, before, after, names);
  if (kind == "action") {
    const JsonObject& action = object_at(edit, {after != nullptr ? "after" : "before"});
    const std::string parameters = joined_pairs(object_at(action, {"parameters"}), ", ");
    return fmt::format(
        "action {}{} {}", text_at(action, {"name"}),
        parameters.empty() ? "" : " (" + cut_to_width(printable(parameters), widest_value) + ")",
        created_or_not(before, after, "asked for", "changed", "forgotten"));
  }
  if (kind == "key") {
    const Json* body = after != nullptr ? after : before;
    const std::string name = body == nullptr ? std::string() : text_at(as_object(*body), {"name"});
    return fmt::format("key {} {}", name.empty() ? id : name,
                       created_or_not(before, after, "created", "changed", "revoked"));
  }
  if (kind == "rollout" && before != nullptr && after != nullptr) {
    const JsonObject& rollout = as_object(*after);
    return fmt::format("rollout {} {}, {} of {} stages open", id, text_at(rollout, {"state"}),
                       number_at(rollout, {"open"}), array_at(rollout, {"stages"}).size());
  }
  if (kind == "release" && after != nullptr) {
    const JsonObject& now = object_at(edit, {"after"});
    const std::string taken = schedule_text(object_at(now, {"schedule"}));
    if (before == nullptr) return fmt::format("release {} published", id);
    const bool rescheduled = object_at(edit, {"before", "schedule"}) != object_at(now, {"schedule"});
    if (rescheduled && !taken.empty()) return fmt::format("release {} is taken {}", id, taken);
  }
  return fmt::format("{} {} {}", kind, id, created_or_not(before, after, "created", "changed", "deleted"));
}

std::string change_line(const JsonObject& change, DeviceNames& names, const Terminal& terminal) {
  const JsonArray& edits = array_at(change, {"edits"});
  std::string what;
  for (std::size_t i = 0; i < std::min(edits.size(), edits_in_line); ++i) {
    what += (i == 0 ? "" : "; ") + describe_edit(as_object(edits[i]), names);
  }
  if (edits.size() > edits_in_line) {
    what += fmt::format("; and {} more ({})", edits.size() - edits_in_line, text_at(change, {"action"}));
  }
  std::string who = text_at(change, {"principal_name"});
  if (who.empty()) who = text_at(change, {"principal"});
  const std::string reason = text_at(change, {"reason"});
  std::string line = paint(std::to_string(number_at(change, {"revision"})), Colour::bold, terminal) + "  ";
  line += paint(printable(local_date(text_at(change, {"at"}))), Colour::dim, terminal) + "  ";
  line += printable(who + ": " + what);
  if (!reason.empty()) line += paint(printable(" (" + reason + ")"), Colour::dim, terminal);
  return line + "\n";
}

}  // namespace starling::cli
