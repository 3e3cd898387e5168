#include "cli/api_error.hpp"

#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/printable.hpp"

namespace starling::cli {
namespace {

ErrorCode code_of(std::string_view name, int status) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    if (to_string(code) == name) return code;
  }
  switch (status) {
    case 400: return ErrorCode::malformed;
    case 401: return ErrorCode::unauthenticated;
    case 403: return ErrorCode::permission_denied;
    case 404: return ErrorCode::not_found;
    case 409: return ErrorCode::conflict;
    case 413: return ErrorCode::too_large;
    case 429: return ErrorCode::rate_limited;
    case 503: return ErrorCode::unavailable;
    default: return status < 500 ? ErrorCode::invalid_argument : ErrorCode::internal;
  }
}

std::string conflict_lines(const JsonArray& conflicts) {
  const auto shown = [](const JsonObject& conflict, std::string_view member) {
    const Json* value = find(conflict, {member});
    return value == nullptr ? std::string("nothing") : show_value(*value);
  };
  std::string out;
  for (const Json& item : conflicts) {
    const JsonObject& conflict = as_object(item);
    out += fmt::format("\n  {}: you expected {}, it is {}", printable(text_at(conflict, {"key"})),
                       shown(conflict, "expected"), shown(conflict, "actual"));
  }
  return out;
}

// Where what there is can be found, as the hub says what there is not.
std::string list_of_such(std::string_view detail) {
  for (const std::string_view noun : {"persona", "group"}) {
    if (detail.starts_with(fmt::format("no {} is called ", noun)))
      return fmt::format("\n  'starling {} list' shows them all.", noun);
  }
  return {};
}

std::string advice(ErrorCode code, const http::Response& response, const Connection& connection) {
  switch (code) {
    case ErrorCode::unauthenticated:
      if (connection.key.empty()) {
        return "\n  Set STARLING_KEY or give --key-file; the hub wrote its first key to admin.key in its "
               "data "
               "folder.";
      }
      return fmt::format(
          "\n  The hub at {} does not take this key: it may be revoked, expired or another hub's.",
          connection.hub);
    case ErrorCode::permission_denied:
      return "\n  An admin can make a key that may: starling key create NAME --role ROLE [--on SELECTOR]";
    case ErrorCode::rate_limited: {
      const auto wait = response.headers.find("Retry-After");
      return wait ? fmt::format("\n  Try again in {} s.", printable(*wait))
                  : "\n  Try again in a few seconds.";
    }
    case ErrorCode::unavailable: return "\n  Try again in a moment.";
    default: return {};
  }
}

}  // namespace

Error explain_transport(const Error& error, const Connection& connection) {
  Error out = error;
  std::string why = printable(error.message);
  if (const auto url = http::Url::parse(connection.hub); url && why.starts_with(url->origin() + ": ")) {
    why.erase(0, url->origin().size() + 2);  // the sentence names it anyway
  }
  switch (error.code) {
    case ErrorCode::unavailable:
      out.message = fmt::format(
          "cannot reach the hub at {}: {}\n  Is it running there, and with {}? Set STARLING_HUB or give "
          "--hub to "
          "name another address.",
          connection.hub, why, connection.hub.starts_with("https:") ? "https" : "http, not https");
      break;
    case ErrorCode::timed_out:
      out.message =
          fmt::format("the hub at {} did not answer in time: {}\n  Try again; a write is safe to repeat.",
                      connection.hub, why);
      break;
    case ErrorCode::permission_denied:
      out.message =
          fmt::format("the hub at {} cannot be trusted: {}\n  {}", connection.hub, why,
                      connection.pins.empty()
                          ? "Set STARLING_PIN or give --pin with the pin that the hub printed at its start."
                          : "Compare --pin with the pin that the hub printed at its start.");
      break;
    default: out.message = fmt::format("talking to the hub at {}: {}", connection.hub, why);
  }
  return out;
}

Error not_a_hub(const http::Response& response, const Connection& connection) {
  return Error{
      ErrorCode::internal,
      fmt::format("{} answered, but not as a Starling hub does (HTTP {}, {})\n  Check STARLING_HUB or --hub.",
                  connection.hub, response.status, printable(response.content_type)),
      {}};
}

Error explain_response(const http::Response& response, const Connection& connection) {
  const auto body = parse_json(response.body);
  if (!body || !body->is_object()) return not_a_hub(response, connection);
  const JsonObject& problem = body->get_object();
  const ErrorCode code = code_of(text_at(problem, {"code"}), response.status);
  std::string detail = text_at(problem, {"detail"});
  if (detail.empty()) detail = text_at(problem, {"title"});
  if (detail.empty()) return not_a_hub(response, connection);
  const std::string pointer = text_at(problem, {"pointer"});
  std::string message = printable(detail);
  if (!pointer.empty() && detail.find(pointer) == std::string::npos) {
    message += fmt::format(" (at {})", printable(pointer));
  }
  message += conflict_lines(array_at(problem, {"conflicts"}));
  message += list_of_such(detail);
  message += advice(code, response, connection);
  return Error{code, std::move(message), pointer};
}

}  // namespace starling::cli
