#include "cli/api_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/http/client.hpp"
#include "base/net/loopback.hpp"
#include "base/uuid.hpp"
#include "cli/answer.hpp"
#include "cli/api_error.hpp"
#include "cli/printable.hpp"

namespace starling::cli {
namespace {

namespace asio = boost::asio;

constexpr Milliseconds tick_interval{250};
constexpr Milliseconds retry_delay{300};
constexpr Milliseconds call_timeout{30'000};  // above the 5 s that the hub waits for a revision
constexpr Milliseconds upload_timeout = std::chrono::hours(6);  // a gigabyte over a slow line
constexpr Milliseconds three_comments{45'000};                  // the hub sends one every 15 s
constexpr std::size_t page_size = 1000;
constexpr JsonLimits answer_limits{64u << 20, 64};

std::string target_of(const std::string& path, const Parameters& query, const Connection& connection) {
  std::string out = path;
  char separator = '?';
  const auto append = [&](std::string_view name, std::string_view value) {
    out += separator;
    out += http::percent_encode(name) + "=" + http::percent_encode(value);
    separator = '&';
  };
  const bool names_fleet = path.starts_with("/api/v1/") && !path.starts_with("/api/v1/fleets");
  if (names_fleet && !connection.fleet.empty()) append("fleet", connection.fleet);
  for (const auto& [name, value] : query)
    append(name, value);
  return out;
}

bool was_lost(const Result<http::Response>& response) {
  return !response &&
         (response.error().code == ErrorCode::unavailable || response.error().code == ErrorCode::timed_out);
}

}  // namespace

struct ApiClient::Impl {
  Impl(Connection c, http::Url u, const Clock& k)
      : connection(std::move(c)),
        url(std::move(u)),
        clock(k),
        client(io.get_executor(), url, http::TlsTrust{connection.pins}) {}

  http::Client::Call make_call(http::Method method, std::string target) const {
    http::Client::Call call;
    call.method = method;
    call.target = std::move(target);
    call.timeout = call_timeout;
    call.headers.set("User-Agent", "starling/" STARLING_VERSION);
    if (!connection.key.empty()) call.headers.set("Authorization", "Bearer " + connection.key);
    return call;
  }

  Result<http::Response> send(const http::Client::Call& call) { return response_of(client.call(call)); }

  Result<http::Response> response_of(asio::awaitable<Result<http::Response>> exchange) {
    std::optional<Result<http::Response>> answer;
    asio::co_spawn(io, std::move(exchange),
                   [&answer](std::exception_ptr bug, Result<http::Response> response) {
                     if (bug) std::rethrow_exception(bug);
                     answer = std::move(response);
                   });
    run_until([&answer] { return answer.has_value(); });
    return std::move(*answer);
  }

  Result<JsonObject> answer_of(const Result<http::Response>& response) const {
    if (!response) return std::unexpected(explain_transport(response.error(), connection));
    if (response->status >= 400) return std::unexpected(explain_response(*response, connection));
    if (response->body.empty() && response->status < 300) return JsonObject{};
    auto body = parse_json(response->body, answer_limits);
    if (!body || !body->is_object()) return std::unexpected(not_a_hub(*response, connection));
    return std::move(body->get_object());
  }

  template <typename Predicate>
  void run_until(Predicate done) {
    io.restart();
    while (!done() && io.run_one() > 0) {
    }
  }

  Connection connection;
  http::Url url;
  const Clock& clock;
  asio::io_context io{1};
  http::Client client;
};

ApiClient::ApiClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ApiClient::~ApiClient() = default;

Result<std::unique_ptr<ApiClient>> ApiClient::open(Connection connection, const Clock& clock) {
  auto url = http::Url::parse(connection.hub);
  if (!url) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no address of a hub: {}\n  It looks like http://127.0.0.1:8000 or "
                            "https://hub.example:8443; set STARLING_HUB or give --hub.",
                            connection.hub, url.error().message));
  }
  return std::unique_ptr<ApiClient>(
      new ApiClient(std::make_unique<Impl>(std::move(connection), std::move(*url), clock)));
}

Result<JsonObject> ApiClient::get(const std::string& path, const Parameters& query) {
  const auto call = impl_->make_call(http::Method::get, target_of(path, query, impl_->connection));
  return impl_->answer_of(impl_->send(call));
}

Result<JsonObject> ApiClient::list(const std::string& path, const Parameters& query, std::size_t limit) {
  JsonArray items;
  std::string after;
  while (true) {
    Parameters page = query;
    const std::size_t wanted = limit == 0 ? page_size : std::min(page_size, limit - items.size());
    page.emplace_back("limit", std::to_string(wanted));
    if (!after.empty()) page.emplace_back("after", after);
    auto answer = get(path, page);
    if (!answer) return answer;
    for (const Json& item : array_at(*answer, {"items"}))
      items.push_back(item);
    const std::string next = text_at(*answer, {"next"});
    const bool complete = next.empty() || next == after || (limit != 0 && items.size() >= limit);
    if (complete) {
      (*answer)["items"] = std::move(items);
      return answer;
    }
    after = next;
  }
}

Result<JsonObject> ApiClient::write(http::Method method, const std::string& path, const Json& body,
                                    const Parameters& query) {
  auto call = impl_->make_call(method, target_of(path, query, impl_->connection));
  if (!body.is_null()) call.body = boost::json::serialize(body);
  call.headers.set("Idempotency-Key", make_uuid_v7(impl_->clock.wall()));
  auto response = impl_->send(call);
  if (was_lost(response)) {
    pause(retry_delay);
    response = impl_->send(call);
  }
  return impl_->answer_of(response);
}

Result<JsonObject> ApiClient::upload(const std::string& path, std::string content,
                                     const std::string& content_type, const Parameters& query) {
  auto call = impl_->make_call(http::Method::put, target_of(path, query, impl_->connection));
  call.body = std::move(content);
  call.content_type = content_type;
  call.timeout = upload_timeout;
  auto response = impl_->send(call);
  if (was_lost(response)) {
    pause(retry_delay);
    response = impl_->send(call);
  }
  return impl_->answer_of(response);
}

Result<void> ApiClient::download(const std::string& path, std::uint64_t first, std::uint64_t max_bytes,
                                 const ByteSink& sink) {
  auto call = impl_->make_call(http::Method::get, target_of(path, {}, impl_->connection));
  call.first_byte = first;
  call.max_response_bytes =
      static_cast<std::size_t>(std::max<std::uint64_t>(max_bytes, answer_limits.max_bytes));
  Result<void> taken;
  const auto take = [&](std::string_view bytes) { return taken = sink(bytes); };
  auto response = impl_->response_of(impl_->client.download(std::move(call), take));
  if (!taken) return taken;
  const auto answer = impl_->answer_of(response);
  return answer ? Result<void>() : fail(answer);
}

Result<void> ApiClient::follow(const std::string& path, const Parameters& query,
                               const std::string& last_event_id, const Sink& sink, const Tick& tick,
                               const Opened& opened) {
  auto call = impl_->make_call(http::Method::get, target_of(path, query, impl_->connection));
  call.longest_silence = three_comments;
  bool refused = false;
  call.on_head = [&](int status) {
    refused = status != 200;
    if (!refused && opened) opened();
  };
  if (!last_event_id.empty()) call.headers.set("Last-Event-ID", last_event_id);
  http::Client client(impl_->io.get_executor(), impl_->url, http::TlsTrust{impl_->connection.pins});
  const auto on_event = [&sink](const http::Client::Event& event) {
    return sink(StreamEvent{event.name, event.id, event.data});
  };

  std::optional<Result<void>> ended;
  bool stopped = false;
  asio::cancellation_signal stop;
  asio::co_spawn(
      impl_->io, client.events(std::move(call), on_event),
      asio::bind_cancellation_slot(stop.slot(), [&ended](std::exception_ptr bug, Result<void> result) {
        if (bug) std::rethrow_exception(bug);
        ended = std::move(result);
      }));
  asio::steady_timer timer(impl_->io);
  bool waiting = false;
  std::function<void(boost::system::error_code)> on_timer;
  const auto arm = [&] {
    waiting = true;
    timer.expires_after(tick_interval);
    timer.async_wait([&on_timer](boost::system::error_code error) { on_timer(error); });
  };
  on_timer = [&](boost::system::error_code error) {
    waiting = false;
    if (error || ended) return;
    if (tick()) return arm();
    stopped = true;
    stop.emit(asio::cancellation_type::terminal);
  };
  arm();
  impl_->run_until([&ended] { return ended.has_value(); });
  timer.cancel();
  impl_->run_until([&waiting] { return !waiting; });
  if (stopped || *ended) return {};
  const bool unreached = !refused && (ended->error().code == ErrorCode::unavailable ||
                                      ended->error().code == ErrorCode::timed_out);
  // The client has read the hub's answer already; what is left is its code and sentence.
  if (!unreached) return fail(ended->error().code, printable(ended->error().message));
  return std::unexpected(explain_transport(ended->error(), impl_->connection));
}

void ApiClient::pause(Milliseconds duration) {
  bool over = false;
  asio::steady_timer timer(impl_->io);
  timer.expires_after(duration);
  timer.async_wait([&over](boost::system::error_code) { over = true; });
  impl_->run_until([&over] { return over; });
}

const Connection& ApiClient::connection() const {
  return impl_->connection;
}

bool ApiClient::exposes_key() const {
  return !impl_->connection.key.empty() && !impl_->url.tls && !net::is_loopback(impl_->url.host);
}

std::string path_of(std::initializer_list<std::string_view> parts) {
  std::string out = "/api/v1";
  for (const std::string_view part : parts)
    out += "/" + http::percent_encode(part);
  return out;
}

}  // namespace starling::cli
