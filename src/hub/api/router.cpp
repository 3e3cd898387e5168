#include "hub/api/router.hpp"

#include <stdexcept>

namespace starling::hub {

// One segment of a path; the routes of a path hang on its last.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literal;
  std::unique_ptr<Node> value;
  std::string_view value_name;
  std::vector<const Route*> routes;
};

namespace {

// Calls `visit` with each segment after the first slash; "/a/" has the segments "a" and "".
template <typename Visit>
void for_each_segment(std::string_view path, Visit visit) {
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (true) {
    const auto slash = path.find('/');
    if (!visit(path.substr(0, slash)) || slash == std::string_view::npos) return;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(Route route) {
  routes_.push_back(std::make_unique<Route>(std::move(route)));
  const Route& added = *routes_.back();
  Node* node = root_.get();
  for_each_segment(added.path, [&node](std::string_view segment) {
    const bool is_value = segment.size() > 2 && segment.front() == '{';
    auto& next = is_value ? node->value : node->literal[std::string(segment)];
    if (!next) next = std::make_unique<Node>();
    if (is_value) node->value_name = segment.substr(1, segment.size() - 2);
    node = next.get();
    return true;
  });
  for (const Route* other : node->routes) {
    if (other->method == added.method) throw std::logic_error("two routes for " + added.path);
  }
  node->routes.push_back(&added);
}

std::variant<std::monostate, Router::NotAllowed, Router::Match> Router::find(http::Method method,
                                                                             std::string_view target) const {
  Match match;
  const Node* node = root_.get();
  const std::string_view path = target.substr(0, target.find('?'));
  for_each_segment(path, [&](std::string_view segment) {
    if (const auto literal = node->literal.find(segment); literal != node->literal.end()) {
      node = literal->second.get();
      return true;
    }
    // A slash at the end says nothing, where there is no route of that name.
    if (segment.empty() && segment.data() + segment.size() == path.data() + path.size() &&
        node != root_.get()) {
      return true;
    }
    // Segments are told apart before they are decoded, so that a name may hold a slash.
    auto text = http::percent_decode(segment);
    if (!node->value || segment.empty() || !text || match.path.count == match.path.values.size()) {
      node = nullptr;
      return false;
    }
    match.path.values[match.path.count++] = {node->value_name, std::move(*text)};
    node = node->value.get();
    return true;
  });
  if (node == nullptr || node->routes.empty()) return std::monostate{};
  // What answers GET answers HEAD, without the body.
  const http::Method wanted = method == http::Method::head ? http::Method::get : method;
  NotAllowed other;
  for (const Route* route : node->routes) {
    if (route->method == wanted) {
      match.route = route;
      return match;
    }
    other.allow += (other.allow.empty() ? "" : ", ") + std::string(http::to_string(route->method));
  }
  return other;
}

}  // namespace starling::hub
