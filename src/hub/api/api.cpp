#include "hub/api/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/net/loopback.hpp"
#include "base/uuid.hpp"
#include "hub/api/actions.hpp"
#include "hub/api/assets.hpp"
#include "hub/api/changes.hpp"
#include "hub/api/components.hpp"
#include "hub/api/device_documents.hpp"
#include "hub/api/devices.hpp"
#include "hub/api/fleets.hpp"
#include "hub/api/groups.hpp"
#include "hub/api/keys.hpp"
#include "hub/api/module_logs.hpp"
#include "hub/api/modules.hpp"
#include "hub/api/personas.hpp"
#include "hub/api/registration.hpp"
#include "hub/api/releases.hpp"
#include "hub/api/rollouts.hpp"
#include "hub/api/settings.hpp"
#include "hub/api/stream.hpp"
#include "hub/api/system.hpp"
#include "hub/api/too_many.hpp"
#include "hub/api/tuf_files.hpp"
#include "hub/api/updates.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

namespace {

constexpr std::string_view plain_link_path = "/ws";

// A device that can sign does so: a stolen token or somebody's key alone is not that device.
Result<void> check_protocol(const ChangeLog& log, std::string_view fleet, const std::string& device_id,
                            int protocol) {
  const FleetState* state = log.published(fleet);
  const Device* device = state == nullptr ? nullptr : state->device(device_id);
  if (protocol != 0 || device == nullptr || device->public_key.empty()) return {};
  return fail(ErrorCode::permission_denied,
              fmt::format("device '{}' has a key pair: open its link with {}: {} and sign the handshake",
                          device_id, protocol::protocol_header, protocol::protocol_version));
}

// A proxy on this machine speaks for people who are not on it, and most say so.
bool is_forwarded(const http::Request& request) {
  constexpr std::array<std::string_view, 3> headers{"Forwarded", "X-Forwarded-For", "Via"};
  return std::ranges::any_of(headers,
                             [&](std::string_view name) { return request.headers.find(name).has_value(); });
}

http::Response failure(const Error& error) {
  http::Response response = http::problem_response(error);
  if (error.code == ErrorCode::unauthenticated) response.headers.set("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

struct Api::Parts {
  Parts(Api& api, asio::any_io_executor executor, Executor& hub_executor, Repositories* repositories,
        AssetFiles* asset_files)
      : log(api.hub_.changes(), std::move(executor)),
        writer(log, api.clock_),
        description(api.hub_),
        standings(api.hub_, description),
        services{api.hub_,   log,         writer,       description, standings,
                 api.clock_, api.logger_, repositories, asset_files},
        stream(services, hub_executor, {}),
        system(services, stream) {
    registration.add_to(router);
    devices.add_to(router);
    device_documents.add_to(router);
    personas.add_to(router);
    settings.add_to(router);
    groups.add_to(router);
    components.add_to(router);
    changes.add_to(router);
    actions.add_to(router);
    modules.add_to(router);
    module_logs.add_to(router);
    keys.add_to(router);
    fleets.add_to(router);
    assets.add_to(router);
    releases.add_to(router);
    tuf_files.add_to(router);
    updates.add_to(router);
    rollouts.add_to(router);
    stream.add_to(router);
    system.add_to(router);
    add_link_routes();
  }

  // Reached only without Upgrade: websocket; with it, Api::upgrade answers.
  void add_link_routes() {
    for (const std::string_view path : {protocol::link_path, plain_link_path}) {
      router.add({http::Method::get, std::string(path), {std::nullopt, true}, {}, [](const Call&) -> Reply {
                    return fail(ErrorCode::invalid_argument,
                                "this is the device link; open it as a WebSocket (Upgrade: websocket)");
                  }});
    }
  }

  Router router;
  LogAccess log;
  Writer writer;
  DeviceDescription description;
  Standings standings;
  Services services;
  Stream stream;
  System system;
  Registration registration{services};
  Devices devices{services};
  DeviceDocuments device_documents{services};
  Personas personas{services};
  Settings settings{services};
  Groups groups{services};
  Components components;
  Changes changes{services};
  Actions actions{services};
  Modules modules{services};
  ModuleLogs module_logs{services};
  Keys keys{services};
  Fleets fleets{services};
  Assets assets{services};
  Releases releases{services};
  TufFiles tuf_files{services};
  Updates updates{services};
  Rollouts rollouts{services};
};

Api::Api(asio::any_io_executor executor, Hub& hub, Executor& hub_executor, const Clock& clock, Logger logger,
         Options options, Repositories* repositories, AssetFiles* assets)
    : executor_(executor),
      hub_(hub),
      clock_(clock),
      logger_(logger),
      options_(options),
      authentication_(hub.changes(), hub.records(), clock),
      key_limit_(clock, options.per_key),
      device_limit_(clock, options.per_device),
      failure_limit_(clock, options.failures_per_address),
      parts_(std::make_unique<Parts>(*this, executor, hub_executor, repositories, assets)) {}

Api::~Api() = default;

const Router& Api::router() const {
  return parts_->router;
}

void Api::count_http_with(std::function<http::Server::Counters()> counters) {
  parts_->system.count_http_with(std::move(counters));
}

void Api::set_ready(bool ready) {
  parts_->system.set_ready(ready);
}

void Api::tick() {
  key_limit_.tick();
  device_limit_.tick();
  failure_limit_.tick();
  parts_->stream.tick();
  parts_->module_logs.tick();
  parts_->tuf_files.tick();
}

void Api::stop() {
  set_ready(false);
  parts_->stream.stop();
  parts_->module_logs.stop();
}

// The request is admitted here, before its body has come, and again when it is served: whose key was revoked
// meanwhile does not get through.
http::Handler::Reception Api::receive(const http::Request& request) {
  auto found = parts_->router.find(request.method, request.target);
  auto* match = std::get_if<Router::Match>(&found);
  if (match == nullptr || !match->route->sink) return {};
  const auto admitted = admit(request, *match->route, std::move(match->path));
  if (const auto* refusal = std::get_if<http::Response>(&admitted)) return *refusal;
  auto sink = match->route->sink(std::get<Call>(admitted));
  if (!sink) return failure(sink.error());
  return std::move(*sink);
}

asio::awaitable<http::Response> Api::serve(const http::Request& request) {
  try {
    co_return co_await respond(request);
  } catch (const std::exception& bug) {
    logger_.error("a request ended in an exception", {{"path", request.path}, {"what", bug.what()}});
  }
  co_return failure({ErrorCode::internal, "the hub failed to answer this; its log says why", {}});
}

asio::awaitable<http::Response> Api::respond(const http::Request& request) {
  auto found = parts_->router.find(request.method, request.target);
  if (std::holds_alternative<std::monostate>(found)) {
    co_return failure({ErrorCode::not_found, fmt::format("there is nothing at {}", request.path), {}});
  }
  if (const auto* other = std::get_if<Router::NotAllowed>(&found)) {
    http::Response response = http::problem_response(
        {ErrorCode::invalid_argument, fmt::format("{} answers {}", request.path, other->allow), {}}, 405);
    response.headers.set("Allow", other->allow);
    co_return response;
  }
  auto& match = std::get<Router::Match>(found);
  const Route& route = *match.route;
  auto admitted = admit(request, route, std::move(match.path));
  if (auto* refusal = std::get_if<http::Response>(&admitted)) co_return std::move(*refusal);
  Call& call = std::get<Call>(admitted);
  if (const auto* immediate = std::get_if<ImmediateHandler>(&route.handler);
      immediate != nullptr && !call.query("min_revision")) {
    Reply reply = (*immediate)(call);
    if (!reply) co_return failure(reply.error());
    if (route.of_state) add_state_headers(call, *reply);
    co_return std::move(*reply);
  }
  Reply reply = co_await handle(call, route);
  if (!reply) co_return failure(reply.error());
  if (route.of_state) add_state_headers(call, *reply);
  co_return std::move(*reply);
}

asio::awaitable<Reply> Api::handle(Call& call, const Route& route) {
  const auto least = call.query_integer("min_revision", 0, INT64_MAX);
  if (!least) co_return fail(least);
  if (*least) {
    const auto there = co_await parts_->log.published(call.fleet_name, **least, options_.min_revision_wait);
    if (!there) co_return fail(there);
  }
  if (const auto* immediate = std::get_if<ImmediateHandler>(&route.handler)) co_return (*immediate)(call);
  co_return co_await std::get<WaitingHandler>(route.handler)(call);
}

void Api::add_state_headers(const Call& call, http::Response& response) const {
  response.headers.add("X-Starling-Revision", std::to_string(call.fleet->revision()));
  response.headers.add("X-Starling-Generation", hub_.changes().generation());
}

Result<void> Api::check_query(const http::Request& request, const Route& route) const {
  for (const auto& [name, value] : request.query) {
    if (route.of_fleet && name == "fleet") continue;
    if (route.of_state && name == "min_revision") continue;
    if (std::ranges::find(route.query, name) != route.query.end()) continue;
    return fail(ErrorCode::invalid_argument, fmt::format("there is no query parameter '{}' here", name));
  }
  return {};
}

Result<Principal> Api::identify(const http::Request& request) {
  return authentication_.identify(request);
}

std::optional<http::Response> Api::limit(const Principal& principal) {
  if (principal.kind == Principal::Kind::anonymous) return std::nullopt;
  const bool device = principal.kind == Principal::Kind::device;
  const auto wait = device ? device_limit_.take(principal.device_id) : key_limit_.take(principal.key->id);
  return wait ? std::optional(too_many(*wait)) : std::nullopt;
}

// Valid credentials are never held up by the failures of others behind the same address.
std::optional<http::Response> Api::limit_failures(std::string_view address) {
  const auto wait = failure_limit_.take(address);
  return wait ? std::optional(too_many(*wait)) : std::nullopt;
}

std::variant<http::Response, Call> Api::admit(const http::Request& request, const Route& route,
                                              PathValues path) {
  Call call{request, {}, std::move(path), {}, nullptr, {}};
  const bool open = route.access.open() || (route.access.open_on_loopback && options_.listens_on_loopback &&
                                            net::is_loopback(request.peer_address) && !is_forwarded(request));
  if (!open) {
    auto principal = identify(request);
    if (!principal) {
      if (auto refusal = limit_failures(request.peer_address)) return std::move(*refusal);
      return failure(principal.error());
    }
    if (auto refusal = limit(*principal)) return std::move(*refusal);
    call.principal = std::move(*principal);
  }
  if (auto known = check_query(request, route); !known) return failure(known.error());
  const auto named = route.of_fleet ? call.query("fleet") : std::nullopt;
  call.fleet_name = named ? std::string(*named) : Authentication::default_fleet_of(call.principal);
  auto reach = open ? Result<Reach>(Reach::everything())
                    : Authentication::reach(call.principal, route.access, call.fleet_name);
  if (!reach) return failure(reach.error());
  call.reach = std::move(*reach);
  call.fleet = hub_.changes().published(call.fleet_name);
  if (call.fleet == nullptr && route.of_fleet) {
    return failure({ErrorCode::not_found, fmt::format("no fleet is called '{}'", call.fleet_name), {}});
  }
  return call;
}

Result<LinkRequest> Api::link_request(const http::Request& request) {
  LinkRequest link;
  const std::string_view named = request.headers.find("X-Device-ID").value_or("");
  const std::string id = canonical_uuid(named).value_or(std::string(named));
  if (const auto text = request.headers.find(protocol::protocol_header)) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), link.protocol);
    if (error != std::errc{} || end != text->data() + text->size() || link.protocol < 0) {
      return fail(ErrorCode::malformed,
                  fmt::format("{} must be a protocol version", protocol::protocol_header));
    }
  }
  const auto principal = identify(request);
  if (principal && principal->kind == Principal::Kind::device) {
    if (!id.empty() && id != principal->device_id) {
      return fail(ErrorCode::permission_denied, "the token belongs to another device than X-Device-ID names");
    }
    if (auto allowed =
            check_protocol(hub_.changes(), principal->home_fleet, principal->device_id, link.protocol);
        !allowed) {
      return fail(allowed);
    }
    link.fleet = principal->home_fleet;
    link.device_id = principal->device_id;
    link.token_valid = true;
    return link;
  }
  const DeviceRecord* record = is_uuid(id) ? hub_.records().find(id) : nullptr;
  const FleetState* fleet = record == nullptr ? nullptr : hub_.changes().published(record->fleet);
  const Device* device = fleet == nullptr ? nullptr : fleet->device(id);
  if (principal && principal->kind == Principal::Kind::key && device != nullptr) {
    const auto reach = Authentication::reach(*principal, {Role::operator_}, record->fleet);
    if (!reach) return fail(reach);
    if (!reach->covers(*device))
      return fail(ErrorCode::permission_denied, "your grant does not cover this device");
    if (auto allowed = check_protocol(hub_.changes(), record->fleet, id, link.protocol); !allowed)
      return fail(allowed);
    link.fleet = record->fleet;
    link.device_id = id;
    // The key vouches for devices that have none of their own; the others sign the handshake.
    link.token_valid = device->public_key.empty();
    return link;
  }
  if (device != nullptr && link.protocol >= 1 && !device->public_key.empty()) {
    link.fleet = record->fleet;
    link.device_id = id;
    return link;
  }
  if (!principal) return fail(principal);
  return fail(
      ErrorCode::unauthenticated,
      "open the link with the device's token, or with a key and the X-Device-ID of a registered device");
}

std::variant<http::Response, std::unique_ptr<ws::Session>> Api::upgrade(const http::Request& request) {
  const std::string_view path = std::string_view(request.target).substr(0, request.target.find('?'));
  if (path != protocol::link_path && path != plain_link_path) {
    return failure({ErrorCode::not_found, fmt::format("there is no WebSocket at {}", request.path), {}});
  }
  auto link = link_request(request);
  const bool proven = link && link->token_valid;
  if (!proven) {
    if (auto refusal = limit_failures(request.peer_address)) return std::move(*refusal);
  }
  if (!link) return failure(link.error());
  // Whoever has proved nothing yet does not use up what the device may ask.
  if (proven) {
    if (const auto wait = device_limit_.take(link->device_id)) return too_many(*wait);
  }
  return hub_.sessions().accept(std::move(*link));
}

}  // namespace starling::hub
