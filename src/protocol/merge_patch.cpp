#include "protocol/merge_patch.hpp"

namespace starling::protocol {

Json make_merge_patch(const Json& from, const Json& to) {
  if (!from.is_object() || !to.is_object()) return to;
  const JsonObject& before = from.get_object();
  const JsonObject& after = to.get_object();
  JsonObject patch;
  for (const auto& member : before) {
    if (!after.contains(member.key())) patch.emplace(member.key(), nullptr);
  }
  for (const auto& member : after) {
    const Json* old = before.if_contains(member.key());
    if (old == nullptr) {
      patch.emplace(member.key(), member.value());
    } else if (*old != member.value()) {
      patch.emplace(member.key(), make_merge_patch(*old, member.value()));
    }
  }
  return patch;
}

void apply_merge_patch(Json& target, const Json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = JsonObject{};
  JsonObject& object = target.get_object();
  for (const auto& member : patch.get_object()) {
    if (member.value().is_null()) {
      object.erase(member.key());
    } else {
      apply_merge_patch(object[member.key()], member.value());
    }
  }
}

}  // namespace starling::protocol
