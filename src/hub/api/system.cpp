#include "hub/api/system.hpp"

#include "hub/api/metrics.hpp"
#include "hub/releases/repositories.hpp"

namespace starling::hub {

namespace {

http::Response text_response(std::string_view content_type, std::string_view body) {
  http::Response response;
  response.content_type = content_type;
  response.body = body;
  return response;
}

}  // namespace

System::System(Services& services, Stream& stream)
    : services_(services), stream_(stream), started_(services.clock.steady()) {}

void System::add_to(Router& router) {
  const auto open = [&](const char* path, ImmediateHandler handler) {
    router.add({http::Method::get, path, {}, {}, std::move(handler), false});
  };
  open("/", [this](const Call& call) { return page(call); });
  open("/healthz",
       [](const Call&) -> Reply { return text_response("application/json", R"({"status":"ok"})"); });
  open("/readyz", [this](const Call& call) { return ready(call); });
  open("/api/v1/openapi.json",
       [](const Call&) -> Reply { return text_response("application/json", openapi_document()); });
  router.add({http::Method::get,
              "/metrics",
              {.role = Role::viewer, .open_on_loopback = true},
              {},
              [this](Call&) { return metrics(); },
              false});
}

Reply System::page(const Call&) {
  std::size_t online = 0;
  std::size_t registered = 0;
  for (const std::string& fleet : services_.log.log().fleets()) {
    online += services_.hub.sessions().online_count(fleet);
    registered += services_.log.log().published(fleet)->devices().size();
  }
  return page_.show(online, registered);
}

Reply System::ready(const Call&) {
  if (!ready_) return fail(ErrorCode::unavailable, "the hub is starting or stopping");
  return text_response("application/json", R"({"status":"ready"})");
}

asio::awaitable<Reply> System::metrics() {
  co_await count_modules(services_);
  const std::chrono::duration<double> uptime = services_.clock.steady() - started_;
  const auto counters = http_counters_ ? http_counters_() : http::Server::Counters{};
  const Encodings* encodings =
      services_.repositories == nullptr ? nullptr : &services_.repositories->encodings();
  co_return text_response(
      "text/plain; version=0.0.4; charset=utf-8",
      metrics_text({services_.hub, counters, encodings, stream_.subscribers(), uptime.count()}));
}

}  // namespace starling::hub
