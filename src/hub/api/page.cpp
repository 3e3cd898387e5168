#include "hub/api/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"

namespace starling::hub {

namespace {

constexpr std::string_view style =
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:56rem;padding:1rem;color:#1b1f24;"
    "background:#fff}"
    "h1{margin:.2em 0}h2{margin:2rem 0 .5rem;border-bottom:1px solid #d0d7de}"
    "code,.m{font-family:ui-monospace,monospace;overflow-wrap:anywhere}"
    ".m{display:inline-block;min-width:4.5em;font-weight:600}"
    "details{border:1px solid #d0d7de;border-radius:6px;margin:.4rem 0;padding:.4rem .7rem}"
    "summary{cursor:pointer}p{margin:.4rem 0}ul{padding-left:1.2rem}.r{color:#57606a}"
    "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}"
    "details,h2{border-color:#30363d}.r{color:#8d96a0}a{color:#58a6ff}}";

std::string standard_base64(const Digest& digest) {
  const std::string_view bytes(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  std::string text = base64url_encode(bytes);
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  return text + "=";
}

std::string_view text_of(const JsonObject& object, std::string_view name) {
  const Json* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) { return c >= 'a' && c <= 'z' ? c - 32 : c; });
  return result;
}

// References like "#/components/parameters/Limit" are followed.
const JsonObject* resolved(const Json& document, const Json& value) {
  const JsonObject* object = value.if_object();
  if (object == nullptr) return nullptr;
  const std::string_view reference = text_of(*object, "$ref");
  if (!reference.starts_with('#')) return object;
  boost::system::error_code error;
  const Json* found = document.find_pointer(reference.substr(1), error);
  return found == nullptr ? nullptr : found->if_object();
}

std::string roles_of(const JsonObject& operation) {
  const Json* roles = operation.if_contains("x-roles");
  if (roles == nullptr || !roles->is_array()) return {};
  if (roles->get_array().empty()) return "open to all";
  std::string text;
  for (const Json& role : roles->get_array()) {
    text += (text.empty() ? "for " : ", ") + std::string(role.get_string());
  }
  return text;
}

std::string render_parameters(const Json& document, const JsonObject& operation) {
  const Json* list = operation.if_contains("parameters");
  if (list == nullptr || !list->is_array() || list->get_array().empty()) return {};
  std::string html = "<ul>";
  for (const Json& entry : list->get_array()) {
    const JsonObject* parameter = resolved(document, entry);
    if (parameter == nullptr) continue;
    html += fmt::format("<li><code>{}</code> <span class=\"r\">({})</span> {}</li>",
                        html_escape(text_of(*parameter, "name")), html_escape(text_of(*parameter, "in")),
                        html_escape(text_of(*parameter, "description")));
  }
  return html + "</ul>";
}

std::string render_operation(const Json& document, std::string_view path, std::string_view method,
                             const JsonObject& operation) {
  return fmt::format(
      "<details><summary><span class=\"m\">{}</span> <code>{}</code> {} <span class=\"r\">{}</span></summary>"
      "<p>{}</p>{}</details>\n",
      upper(method), html_escape(path), html_escape(text_of(operation, "summary")),
      html_escape(roles_of(operation)), html_escape(text_of(operation, "description")),
      render_parameters(document, operation));
}

std::string_view first_tag(const JsonObject& operation) {
  const Json* tags = operation.if_contains("tags");
  if (tags == nullptr || !tags->is_array() || tags->get_array().empty()) return "hub";
  const Json& first = tags->get_array().front();
  return first.is_string() ? std::string_view(first.get_string()) : std::string_view("hub");
}

std::string render_reference(const Json& document) {
  std::vector<std::string> order;
  std::map<std::string, std::string, std::less<>> sections;
  for (const auto& [path, item] : document.at("paths").get_object()) {
    for (const auto& [method, operation] : item.get_object()) {
      if (!operation.is_object()) continue;
      const std::string tag(first_tag(operation.get_object()));
      if (!sections.contains(tag)) order.push_back(tag);
      sections[tag] += render_operation(document, path, method, operation.get_object());
    }
  }
  std::string html;
  for (const std::string& tag : order)
    html += fmt::format("<h2>{}</h2>\n{}", html_escape(tag), sections[tag]);
  return html;
}

}  // namespace

Page::Page() {
  const auto document = parse_json(openapi_document(), {.max_bytes = 4u << 20, .max_depth = 64});
  if (document) reference_ = render_reference(*document);
  style_policy_ = fmt::format(
      "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'; frame-ancestors "
      "'none'",
      standard_base64(sha256(style)));
}

http::Response Page::show(std::size_t online, std::size_t registered) const {
  http::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.headers.set("Content-Security-Policy", style_policy_);
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Referrer-Policy", "no-referrer");
  response.headers.set("Cache-Control", "no-store");
  response.body = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<title>Starling hub</title><style>{}</style></head><body>\n"
      "<h1>Starling hub</h1>\n<p>Version {}. <strong>{}</strong> of {} devices are online.</p>\n"
      "<p>Everything here is also at <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>; "
      "the numbers are at <a href=\"/metrics\">/metrics</a>.</p>\n{}</body></html>\n",
      style, html_escape(STARLING_VERSION), online, registered, reference_);
  return response;
}

std::string html_escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '"': escaped += "&quot;"; break;
      case '\'': escaped += "&#39;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

}  // namespace starling::hub
