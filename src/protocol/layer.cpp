#include "protocol/layer.hpp"

#include <fmt/format.h>

#include <array>

#include "protocol/excerpt.hpp"

namespace starling::protocol {
namespace {

struct Name {
  LayerKind kind;
  std::string_view text;  // ends in ':' if a scope follows
};

constexpr std::array<Name, 8> names{{
    {LayerKind::defaults, "defaults"},
    {LayerKind::fleet, "fleet"},
    {LayerKind::persona, "persona:"},
    {LayerKind::group, "group:"},
    {LayerKind::device, "device:"},
    {LayerKind::policy_fleet, "policy"},
    {LayerKind::policy_group, "policy/group:"},
    {LayerKind::policy_device, "policy/device:"},
}};

constexpr std::size_t max_scope_bytes = 2048;  // a group may be named by its selector

}  // namespace

std::string LayerId::text() const {
  for (const Name& name : names) {
    if (name.kind == kind) return std::string(name.text) + scope;
  }
  return {};
}

Result<LayerId> LayerId::parse(std::string_view text) {
  for (const Name& name : names) {
    if (!name.text.ends_with(':')) {
      if (text == name.text) return LayerId{name.kind, {}};
    } else if (text.starts_with(name.text)) {
      const std::string_view scope = text.substr(name.text.size());
      if (scope.empty() || scope.size() > max_scope_bytes) break;
      return LayerId{name.kind, std::string(scope)};
    }
  }
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("'{}' is no layer; write defaults, fleet, persona:NAME, group:NAME, device:ID, policy, "
                  "policy/group:NAME or policy/device:ID",
                  excerpt(text)));
}

}  // namespace starling::protocol
