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

constexpr std::string_view tar_type = "application/x-tar";
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
  serve("/tuf/encodings/{sha256}", &TufFiles::encodings);
  serve("/tuf/encodings/{sha256}/from/{from}", &TufFiles::encodings);
  serve("/tuf/encodings/{sha256}/files/{file}", &TufFiles::encoding);
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
                std::string(tar_type));
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
  auto response = http::file_response(
      call.request, Repository::target_file(services_.repositories->folder(call.fleet_name), *hash), facts);
  if (response && content_type == tar_type)
    services_.repositories->encodings().count(protocol::Encoding::plain, *response);
  return response;
}

Result<TarFile> TufFiles::published_tar(const Call& call, std::string_view sha256) const {
  const auto published = view(call);
  if (!published) return fail(published);
  for (const auto& [path, tar] : (*published)->published) {
    const auto hash = Digest::from_hex(tar.sha256);
    if (tar.sha256 != sha256 || !hash) continue;
    const auto folder = services_.repositories->folder(call.fleet_name);
    return TarFile{*hash, tar.length, Repository::target_file(folder, tar.sha256)};
  }
  return nothing(sha256);
}

// From a release that is not published (any more) there is no delta; the whole there is.
Reply TufFiles::encodings(const Call& call) const {
  const auto to = published_tar(call, call.value("sha256"));
  if (!to) return fail(to);
  const auto from = published_tar(call, call.value("from"));
  const auto offers = services_.repositories->encodings().offers(
      services_.repositories->folder(call.fleet_name), *to, from ? std::optional(*from) : std::nullopt);
  http::Response response = http::json_response(protocol::to_json(offers));
  response.headers.set("Cache-Control", "no-cache");
  return response;
}

Reply TufFiles::encoding(const Call& call) const {
  const auto to = published_tar(call, call.value("sha256"));
  if (!to) return fail(to);
  const std::string& name = call.value("file");
  const auto hash = Digest::from_hex(name);
  Encodings& encodings = services_.repositories->encodings();
  const auto file =
      hash ? encodings.find(services_.repositories->folder(call.fleet_name), to->hash, *hash) : std::nullopt;
  if (!file) return nothing(name);
  const http::FileFacts facts{"application/octet-stream", fmt::format("\"{}\"", name),
                              std::string(immutable)};
  auto response = http::file_response(call.request, file->path, facts);
  if (response) encodings.count(file->encoding, *response);
  return response;
}

}  // namespace starling::hub
