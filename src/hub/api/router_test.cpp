#include "hub/api/router.hpp"

#include <gtest/gtest.h>

#include <set>

#include "hub/api/api_fixture.hpp"
#include "hub/api/page.hpp"

namespace starling::hub {
namespace {

Reply nothing(const Call&) {
  return http::Response{};
}

TEST(Routes, PathsAreFoundByTheirSegments) {
  Router router;
  for (const char* path : {"/", "/a", "/a/", "/a/{x}", "/a/b", "/a/{x}/c/{y}"}) {
    router.add({http::Method::get, path, {}, {}, nothing, false});
  }
  struct Case {
    const char* target;
    const char* path;  // nullptr: not found
    const char* x;
  };
  constexpr Case cases[] = {
      {"/", "/", ""},
      {"/?q=1", "/", ""},
      {"/a", "/a", ""},
      {"/a/", "/a/", ""},
      {"/a/b", "/a/b", ""},
      {"/a/b/", "/a/b", ""},
      {"/a/7/?x", "/a/{x}", "7"},
      {"/b/", nullptr, ""},
      {"/a/7?x=/c", "/a/{x}", "7"},
      {"/a/room%3Dlab%2Fwest", "/a/{x}", "room=lab/west"},
      {"/a/%zz", nullptr, ""},
      {"/a//c/1", nullptr, ""},
      {"/a/1/c/2", "/a/{x}/c/{y}", "1"},
      {"/a/1/c", nullptr, ""},
      {"/b", nullptr, ""},
      {"/a/b/c", nullptr, ""},
  };
  for (const Case& each : cases) {
    const auto found = router.find(http::Method::get, each.target);
    const auto* match = std::get_if<Router::Match>(&found);
    ASSERT_EQ(match != nullptr, each.path != nullptr) << each.target;
    if (match == nullptr) continue;
    EXPECT_EQ(match->route->path, each.path) << each.target;
    EXPECT_EQ(match->path.count > 0 ? match->path.values[0].text : "", each.x) << each.target;
  }
}

TEST(Routes, OtherMethodsAreNamed) {
  Router router;
  router.add({http::Method::get, "/a", {}, {}, nothing, false});
  router.add({http::Method::put, "/a", {}, {}, nothing, false});
  const auto found = router.find(http::Method::del, "/a");
  ASSERT_TRUE(std::holds_alternative<Router::NotAllowed>(found));
  EXPECT_EQ(std::get<Router::NotAllowed>(found).allow, "GET, PUT");
  EXPECT_TRUE(std::holds_alternative<Router::Match>(router.find(http::Method::head, "/a")));
  EXPECT_THROW(router.add({http::Method::get, "/a", {}, {}, nothing, false}), std::logic_error);
}

// ---- the routes and docs/openapi.json say the same

struct Documented {
  std::set<std::string> roles;
  std::set<std::string> query;
  bool operator==(const Documented&) const = default;
};

std::string describe(const Documented& operation) {
  std::string text = "roles:";
  for (const auto& role : operation.roles)
    text += " " + role;
  text += " query:";
  for (const auto& name : operation.query)
    text += " " + name;
  return text;
}

const JsonObject& resolved(const Json& document, const Json& value) {
  const Json* reference = value.get_object().if_contains("$ref");
  if (reference == nullptr) return value.get_object();
  return document.at_pointer(std::string_view(reference->get_string()).substr(1)).get_object();
}

std::map<std::string, Documented> documented_operations() {
  const auto document = parse_json(openapi_document(), {.max_bytes = 4u << 20, .max_depth = 64});
  EXPECT_TRUE(document);
  std::map<std::string, Documented> operations;
  for (const auto& [path, item] : document->at("paths").get_object()) {
    for (const auto& [method, operation] : item.get_object()) {
      if (!operation.is_object() || !operation.get_object().contains("operationId")) continue;
      Documented& entry = operations[std::string(method) + " " + std::string(path)];
      for (const Json& role : operation.at("x-roles").get_array())
        entry.roles.emplace(role.get_string());
      const Json* parameters = operation.get_object().if_contains("parameters");
      if (parameters == nullptr) continue;
      for (const Json& parameter : parameters->get_array()) {
        const JsonObject& object = resolved(*document, parameter);
        if (object.at("in") == Json("query")) entry.query.emplace(object.at("name").get_string());
      }
    }
  }
  return operations;
}

TEST_F(ApiTest, RoutesAndOpenApiDocumentAgreeBothWays) {
  const auto documented = documented_operations();
  std::map<std::string, Documented> routed;
  for (const auto& route : api->router().routes()) {
    std::string method(http::to_string(route->method));
    for (char& c : method)
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    Documented& entry = routed[method + " " + route->path];
    if (route->access.role) entry.roles.emplace(to_string(*route->access.role));
    if (route->access.device) entry.roles.emplace("device");
    if (route->access.enrolment) entry.roles.emplace("enrolment");
    entry.query.insert(route->query.begin(), route->query.end());
    const bool link = route->path == "/ws" || route->path == "/api/v1/link";
    if (route->of_fleet && !link) entry.query.emplace("fleet");
    if (route->of_state) entry.query.emplace("min_revision");
  }
  for (const auto& [name, operation] : documented) {
    ASSERT_TRUE(routed.contains(name)) << name << " is documented, but there is no such route";
    EXPECT_EQ(describe(routed.at(name)), describe(operation)) << name;
  }
  for (const auto& [name, operation] : routed) {
    EXPECT_TRUE(documented.contains(name)) << name << " is not in docs/openapi.json";
  }
}

}  // namespace
}  // namespace starling::hub
