#include "hub/api/tuf_files.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/crypto.hpp"
#include "base/http/file_response.hpp"
#include "base/net/loopback.hpp"
#include "hub/api/too_many.hpp"
#include "hub/releases/repositories.hpp"

namespace starling::hub {

namespace {

constexpr std::string_view immutable = "public, max-age=31536000, immutable";

std::unexpected<Error> nothing(std::string_view name) {
  return fail(ErrorCode::not_found, fmt::format("this fleet publishes no {}", name));
}

// The one file that changes.
http::Response timestamp_response(const http::Request& request, const std::string& bytes) {
  const std::string etag = fmt::format("\"{}\"", sha256(bytes).hex());
  http::Response response;
  response.headers.set("ETag", etag);
  response.headers.set("Cache-Control", "no-cache");
  if (const auto known = request.headers.find("If-None-Match"); known && http::names_etag(*known, etag)) {
    response.status = 304;
  } else {
    response.body = bytes;
  }
  return response;
}

}  // namespace

Result<MetadataName> parse_metadata_name(std::string_view file) {
  constexpr std::string_view ending = ".json";
  const std::size_t dot = file.find('.');
  MetadataName name;
  if (dot != std::string_view::npos && file.ends_with(ending) && file.size() > dot + 1 + ending.size()) {
    const auto [end, error] = std::from_chars(file.data(), file.data() + dot, name.version);
    name.role = file.substr(dot + 1, file.size() - dot - 1 - ending.size());
    if (error == std::errc() && end == file.data() + dot && name.version > 0 && file.front() != '0')
      return name;
  }
  return nothing(file);
}

void TufFiles::add_to(Router& router) {
  const auto serve = [&](const char* path, Answer answer) {
    router.add({http::Method::get, path, {}, {}, [this, answer](const Call& call) {
                  return limited(call, answer);
                }});
  };
  serve("/tuf/metadata/{file}", &TufFiles::metadata);
  serve("/tuf/targets/releases/{version}/{file}", &TufFiles::tar);
  serve("/tuf/targets/schedules/{file}", &TufFiles::schedule);
}

// Nobody says who asks here. What comes from this machine came through a proxy, and is many.
Reply TufFiles::limited(const Call& call, Answer answer) {
  if (!net::is_loopback(call.request.peer_address)) {
    if (const auto wait = limit_.take(call.request.peer_address)) return too_many(*wait);
  }
  return (this->*answer)(call);
}

Reply TufFiles::tar(const Call& call) const {
  return target(call, fmt::format("releases/{}/{}", call.value("version"), call.value("file")),
                "application/x-tar");
}

Reply TufFiles::schedule(const Call& call) const {
  return target(call, "schedules/" + call.value("file"), "application/json");
}

Result<SharedView> TufFiles::view(const Call& call) const {
  SharedView view =
      services_.repositories == nullptr ? nullptr : services_.repositories->view(call.fleet_name);
  if (view && view->begun()) return view;
  return fail(ErrorCode::not_found, "this fleet publishes nothing yet: it has no root (starling keys init)");
}

Reply TufFiles::metadata(const Call& call) const {
  const auto published = view(call);
  if (!published) return fail(published);
  const std::string& file = call.value("file");
  if (file == "timestamp.json") return timestamp_response(call.request, (*published)->chain.timestamp);
  const auto name = parse_metadata_name(file);
  if (!name) return fail(name);
  // What lies on the disk and is not published yet is nobody's business.
  const auto newest = (*published)->version_of(name->role);
  if (!newest || name->version > *newest || name->role == "timestamp") return nothing(file);
  const http::FileFacts facts{"application/json", fmt::format("\"{}\"", file), std::string(immutable)};
  const auto path =
      Repository::metadata_file(services_.repositories->folder(call.fleet_name), name->version, name->role);
  return http::file_response(call.request, path, facts);
}

Reply TufFiles::target(const Call& call, const std::string& path, const std::string& content_type) const {
  const auto published = view(call);
  if (!published) return fail(published);
  const auto hash = (*published)->served_hash(path);
  if (!hash) return nothing(path);
  const http::FileFacts facts{content_type, fmt::format("\"{}\"", *hash), std::string(immutable)};
  return http::file_response(
      call.request, Repository::target_file(services_.repositories->folder(call.fleet_name), *hash), facts);
}

}  // namespace starling::hub
