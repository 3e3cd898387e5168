#include "hub/api/components.hpp"

#include <fmt/format.h>

namespace starling::hub {

void Components::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/components",
              {Role::viewer},
              {"limit", "after"},
              [this](const Call& call) { return list(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/components/{name}",
              {Role::viewer},
              {},
              [this](const Call& call) { return get(call); },
              true,
              true});
}

Reply Components::list(const Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  const auto& components = call.fleet->catalog().components();
  JsonArray items;
  std::string last;
  auto at = components.upper_bound(page->after);
  for (; at != components.end() && items.size() < page->limit; ++at) {
    last = at->first;
    items.push_back(at->second->file());
  }
  return page_response(std::move(items), at == components.end() ? std::nullopt : std::optional(last));
}

Reply Components::get(const Call& call) {
  const auto* component = call.fleet->catalog().component(call.value("name"));
  if (component == nullptr) {
    return fail(ErrorCode::not_found, fmt::format("no component is called '{}'", call.value("name")));
  }
  return http::json_response(component->file());
}

}  // namespace starling::hub
