// Purpose: one request as a handler sees it: who asks, for which fleet, with which values in the path.
// Owner: Api::serve's frame. Thread: the hub's. Lifetime: until the handler has ended.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/message.hpp"
#include "hub/state/change_log.hpp"
#include "hub/state/fleet_state.hpp"

namespace starling::hub {

// Who may call a route: principals with at least `role`, and besides the device itself or an enrolment key.
// None of the three: everybody.
struct Access {
  std::optional<Role> role;
  bool device = false;
  bool enrolment = false;
  bool open_on_loopback = false;  // to everybody on the hub's machine, if it listens nowhere else

  bool open() const { return !role && !device && !enrolment; }
};

// Who asks, as the request proved it.
struct Principal {
  enum class Kind { anonymous, key, device };
  Kind kind = Kind::anonymous;
  std::shared_ptr<const Key> key;
  std::string home_fleet;  // of the key's entity, or of the device
  std::string device_id;

  // The log's name of it: "key:<id>" or "device:<uuid>".
  std::string id() const;
  Actor actor(const FleetState* fleet) const;
};

// The grants by which a principal may do what a route does; the devices that they cover.
class Reach {
 public:
  Reach() = default;
  static Reach everything();
  static Reach device(std::string id);

  void add(const std::shared_ptr<const Key>& key, const Grant& grant);  // of that key
  bool unrestricted() const { return everything_; }
  bool any() const { return everything_ || !device_.empty() || !selectors_.empty(); }
  bool covers(const Device& device) const;
  Places covered(const FleetState& state) const;
  bool covers_labels(const protocol::Labels& labels) const;
  // Whether all devices that a selector could ever match are covered.
  bool covers_selector(const protocol::Selector& selector) const;

 private:
  bool everything_ = false;
  std::string device_;
  std::shared_ptr<const Key> key_;
  std::vector<const protocol::Selector*> selectors_;  // of key_
};

struct PathValues {
  struct Value {
    std::string_view name;
    std::string text;
  };
  std::array<Value, 2> values;
  std::size_t count = 0;
};

struct Call {
  const http::Request& request;
  Principal principal;
  PathValues path;
  std::string fleet_name;
  const FleetState* fleet = nullptr;  // published; nullptr only on routes that need no fleet
  Reach reach;

  const std::string& value(std::string_view name) const;  // of the path; "" if the route has none such
  Actor actor() const { return principal.actor(fleet); }
  // The device in the path. Errors: not_found (also if it is outside the principal's reach).
  Result<const Device*> device() const;

  std::optional<std::string_view> query(std::string_view name) const { return request.query.find(name); }
  // Errors: invalid_argument naming the parameter.
  Result<std::optional<std::int64_t>> query_integer(std::string_view name, std::int64_t least,
                                                    std::int64_t most) const;
  Result<std::optional<bool>> query_boolean(std::string_view name) const;

  // Errors: malformed (with the byte's place), too_large.
  Result<Json> json() const;
  // The body as an object with no other fields than these. Errors: those of json(), invalid_argument.
  Result<JsonObject> object(std::initializer_list<std::string_view> fields) const;
  Result<JsonObject> optional_object(std::initializer_list<std::string_view> fields) const;  // empty body: {}
  // `reason` of the body or the query. Errors: invalid_argument (more than 1000 bytes).
  Result<std::string> reason(const JsonObject* body = nullptr) const;
};

// A page of a list: how many, and after which id.
struct PageRequest {
  std::size_t limit = 100;
  std::string after;
  static Result<PageRequest> of(const Call& call);
};
http::Response page_response(JsonArray items, std::optional<std::string> next);

}  // namespace starling::hub
