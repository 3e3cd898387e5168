#include "hub/api/releases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hub/api/listing.hpp"
#include "hub/api/release_use.hpp"
#include "hub/api/release_writes.hpp"
#include "protocol/release_metadata.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_uploads = 4;
constexpr std::size_t max_roots = 64;
constexpr std::size_t shown_changes = 10;

// Tars by version, in the order of versions.
struct ByPrecedence {
  bool operator()(const std::string& a, const std::string& b) const {
    const auto first = protocol::parse_version(a);
    const auto second = protocol::parse_version(b);
    return first && second ? *first < *second : a < b;
  }
};
struct Grouped {
  bool published = false;
  std::map<std::string, const ReleaseTar*> tars;  // by architecture
};
using Versions = std::map<std::string, Grouped, ByPrecedence>;

Versions versions_in(const RepositoryView& view) {
  Versions versions;
  for (const ReleaseTars* tars : {&view.published, &view.drafts}) {
    for (const auto& [path, tar] : *tars) {
      const auto name = parse_tar_path(path);
      if (!name) continue;
      Grouped& release = versions[name->version];
      release.published = release.published || tars == &view.published;
      release.tars.emplace(name->architecture, &tar);
    }
  }
  return versions;
}

JsonObject describe(const std::string& version, const Grouped& release, const RepositoryView& view,
                    const ReleaseUses& uses) {
  JsonObject json{{"version", version}, {"state", release.published ? "published" : "draft"}};
  JsonObject architectures;
  for (const auto& [architecture, tar] : release.tars) {
    const bool draft = view.drafts.contains(tar_path(version, architecture));
    architectures[architecture] = JsonObject{
        {"length", tar->length}, {"sha256", tar->sha256}, {"state", draft ? "draft" : "published"}};
    for (const char* field : {"type", "description", "packages", "created_at"}) {
      if (const Json* value = tar->custom.if_contains(field)) json[field] = *value;
    }
  }
  json["architectures"] = std::move(architectures);
  const auto schedule = view.schedules.find(version);
  json["schedule"] = schedule == view.schedules.end() ? Json() : Json(schedule->second);
  const auto use = uses.find(version);
  const ReleaseUse counted = use == uses.end() ? ReleaseUse{} : use->second;
  json["devices"] = JsonObject{{"running", counted.running}, {"wanted", counted.wanted}};
  return json;
}

std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> parts;
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    if (comma > 0) parts.emplace_back(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return parts;
}

Result<protocol::ReleaseMetadata> metadata_of(const Call& call) {
  auto version = protocol::parse_version(call.value("version"));
  if (!version) return fail(version);
  const auto architecture = protocol::parse_architecture(call.value("architecture"));
  if (!architecture) return fail(architecture);
  const auto type = protocol::parse_update_type(call.query("type").value_or("scheduled"));
  if (!type) return fail(type);
  protocol::ReleaseMetadata metadata{std::move(*version), *architecture, *type,
                                     std::string(call.query("description").value_or("")),
                                     split(call.query("packages").value_or(""))};
  if (auto checked = check_metadata(metadata); !checked) return fail(checked);
  return metadata;
}

}  // namespace

void Releases::add_to(Router& router) {
  router.add({http::Method::get, "/api/v1/releases", {Role::viewer}, {"limit", "after"}, [this](Call& call) {
                return list(call);
              }});
  router.add({http::Method::get, "/api/v1/releases/repository", {Role::viewer}, {}, [this](Call& call) {
                return repository(call);
              }});
  router.add({http::Method::post, "/api/v1/releases/sign", {Role::admin}, {}, [this](Call& call) {
                return sign(call);
              }});
  router.add({http::Method::get, "/api/v1/releases/{version}", {Role::viewer}, {}, [this](Call& call) {
                return get(call);
              }});
  router.add({http::Method::del, "/api/v1/releases/{version}", {Role::operator_}, {}, [this](Call& call) {
                return remove(call);
              }});
  router.add(
      {http::Method::put, "/api/v1/releases/{version}/schedule", {Role::operator_}, {}, [this](Call& call) {
         return schedule(call);
       }});
  router.add({http::Method::put,
              "/api/v1/releases/{version}/{architecture}",
              {Role::operator_},
              {"sha256", "type", "description", "packages"},
              [this](Call& call) { return upload(call); },
              true,
              false,
              [this](const Call& call) { return begin_upload(call); }});
}

asio::awaitable<Reply> Releases::list(Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) co_return fail(page);
  const auto kept = repositories_of(services_);
  if (!kept) co_return fail(kept);
  JsonArray items;
  const SharedView view = (*kept)->view(call.fleet_name);
  if (!view) co_return page_response(std::move(items), std::nullopt);
  const ReleaseUses uses = co_await count_releases(services_, call);
  const Versions versions = versions_in(*view);
  std::string last;
  auto at = page->after.empty() ? versions.begin() : versions.upper_bound(page->after);
  for (; at != versions.end() && items.size() < page->limit; ++at) {
    last = at->first;
    items.push_back(describe(at->first, at->second, *view, uses));
  }
  co_return page_response(std::move(items), at == versions.end() ? std::nullopt : std::optional(last));
}

// Who published it and scheduled it, the newest first.
asio::awaitable<Result<JsonArray>> Releases::changes_of(std::string fleet, std::string version) {
  ChangeQuery query;
  query.fleet = std::move(fleet);
  query.limit = shown_changes;
  query.newest_first = true;
  query.kind = EntityKind::release;
  query.id_prefix = version;
  const auto changes = co_await services_.log.read_changes(std::move(query));
  if (!changes) co_return fail(changes);
  JsonArray shown;
  for (const SharedChange& change : *changes) {
    const auto edit = std::ranges::find_if(change->edits, [&](const Edit& each) {
      return each.kind == EntityKind::release && each.id == version;
    });
    if (edit == change->edits.end()) continue;  // of a version that begins like this one
    const Json* schedule =
        edit->after.is_object() ? edit->after.get_object().if_contains("schedule") : nullptr;
    shown.push_back(
        JsonObject{{"revision", change->revision},
                   {"at", to_rfc3339(WallTime(Milliseconds(change->at_ms)))},
                   {"by", change->principal_name.empty() ? change->principal : change->principal_name},
                   {"action", change->action},
                   {"reason", change->reason},
                   {"schedule", schedule == nullptr ? Json() : *schedule}});
  }
  co_return shown;
}

asio::awaitable<Reply> Releases::shown(Call& call, std::string version, int status) {
  const auto kept = repositories_of(services_);
  if (!kept) co_return fail(kept);
  const ReleaseUses uses = co_await count_releases(services_, call);
  auto changes = co_await changes_of(call.fleet_name, version);
  if (!changes) co_return fail(changes);
  if (const SharedView view = (*kept)->view(call.fleet_name)) {
    const Versions versions = versions_in(*view);
    if (const auto found = versions.find(version); found != versions.end()) {
      JsonObject json = describe(found->first, found->second, *view, uses);
      json["changes"] = std::move(*changes);
      co_return http::json_response(json, status);
    }
  }
  co_return fail(ErrorCode::not_found, fmt::format("there is no release {}", version));
}

asio::awaitable<Reply> Releases::get(Call& call) {
  return shown(call, call.value("version"), 200);
}

// What an operator needs to know for signing.
asio::awaitable<Reply> Releases::repository(Call& call) {
  Repositories::Work look = [](Repository&) { return Result<void>(); };
  const auto opened =
      co_await perform(services_, call.fleet_name, std::move(look));  // makes the keys, the first time
  if (!opened) co_return fail(opened);
  const SharedView view = services_.repositories->view(call.fleet_name);
  JsonObject keys;
  for (const auto& [role, key] : view->online_keys)
    keys[role] = key;
  JsonObject roles;
  const std::pair<const char*, const protocol::tuf::Envelope*> metadata[] = {{"root", &view->root},
                                                                             {"targets", &view->targets},
                                                                             {"snapshot", &view->snapshot},
                                                                             {"timestamp", &view->timestamp},
                                                                             {"schedule", &view->schedule}};
  for (const auto& [role, content] : metadata) {
    if (!view->begun()) break;
    roles[role] = JsonObject{{"version", content->version}, {"expires", to_rfc3339(content->expires)}};
  }
  JsonObject drafts;
  for (const auto& [path, tar] : view->drafts)
    drafts[path] = JsonObject{{"length", tar.length}, {"sha256", tar.sha256}, {"custom", tar.custom}};
  JsonArray alerts;
  for (std::string& alert : view->alerts(services_.clock.wall()))
    alerts.emplace_back(std::move(alert));
  co_return http::json_response(JsonObject{{"roles", std::move(roles)},
                                           {"online_keys", std::move(keys)},
                                           {"signs_targets", view->signs_targets},
                                           {"least_version", view->least_version},
                                           {"root", text_or_null(view->chain.root)},
                                           {"targets", text_or_null(view->chain.targets)},
                                           {"drafts", std::move(drafts)},
                                           {"alerts", std::move(alerts)}});
}

Result<std::shared_ptr<http::BodySink>> Releases::begin_upload(const Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) return fail(allowed);
  if (const auto metadata = metadata_of(call); !metadata) return fail(metadata);
  const auto kept = repositories_of(services_);
  if (!kept) return fail(kept);
  std::erase_if(uploads_, [](const auto& upload) { return upload.expired(); });
  if (uploads_.size() >= max_uploads) {
    return fail(
        ErrorCode::unavailable,
        fmt::format("{} releases are being uploaded already; try again when one is done", max_uploads));
  }
  if (auto room = (*kept)->check_room(); !room) return fail(room);
  const auto folder = (*kept)->uploads(call.fleet_name);
  if (!folder) return fail(folder);
  const auto sha256 = call.query("sha256");
  if (!sha256) {
    return fail(ErrorCode::invalid_argument, "query parameter 'sha256' must be the tar's SHA-256");
  }
  auto upload = Upload::begin(*folder, std::string(*sha256), announced_bytes(call.request), Upload::release);
  if (!upload) return fail(upload);
  uploads_.push_back(*upload);
  return *upload;
}

asio::awaitable<Reply> Releases::upload(Call& call) {
  const auto upload = std::dynamic_pointer_cast<Upload>(call.request.sink);
  if (!upload) co_return fail(ErrorCode::invalid_argument, "the request's body must be the release's tar");
  const auto metadata = metadata_of(call);
  if (!metadata) co_return fail(metadata);
  if (auto whole = upload->finish(); !whole) co_return fail(whole);
  const WallTime now = services_.clock.wall();
  ReleaseTar tar{upload->length(), upload->sha256(), to_json(*metadata)};
  tar.custom["created_at"] = to_rfc3339(now);
  const std::string version = to_string(metadata->version);
  const std::string architecture(to_string(metadata->architecture));
  Repositories::Work work = [=, tar = std::move(tar)](Repository& repository) {
    const auto keep = [&upload](const std::filesystem::path& as) { return upload->keep(as); };
    return repository.add(version, architecture, tar, keep, now);
  };
  const auto added = co_await change_releases(services_, call, std::move(work), "release.publish", {},
                                              Repositories::Wait::in_any_case);
  if (!added) co_return fail(added);
  co_return co_await shown(call, version, 201);
}

asio::awaitable<Reply> Releases::sign(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto body = call.object({"roots", "targets"});
  if (!body) co_return fail(body);
  const JsonReader reader(*body);
  const auto listed = reader.optional_array("roots");
  if (!listed) co_return fail(listed);
  std::vector<std::string> roots;
  for (std::size_t i = 0; *listed != nullptr && i < (*listed)->size(); ++i) {
    const Json& root = (**listed)[i];
    if (!root.is_string() || i == max_roots) {
      co_return fail(ErrorCode::invalid_argument, "roots is a list of at most 64 files, each as text",
                     "/roots");
    }
    roots.emplace_back(root.get_string());
  }
  auto targets = reader.optional_string("targets", protocol::tuf::max_targets_bytes);
  if (!targets) co_return fail(targets);
  if (roots.empty() && !*targets) {
    co_return fail(ErrorCode::invalid_argument, "there is nothing here that was signed: roots or targets");
  }
  Repositories::Work work = [=, now = services_.clock.wall()](Repository& repository) {
    return repository.publish(roots, *targets, now);
  };
  auto published = co_await change_releases(services_, call, std::move(work), "release.publish");
  if (!published) {
    // What lacks signatures is the file, not the caller.
    Error error = std::move(published).error();
    if (error.code == ErrorCode::unauthenticated) error.code = ErrorCode::invalid_argument;
    co_return std::unexpected(std::move(error));
  }
  co_return co_await repository(call);
}

asio::awaitable<Reply> Releases::remove(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  Repositories::Work work = [version = call.value("version")](Repository& repository) {
    return repository.delete_draft(version);
  };
  const auto removed = co_await perform(services_, call.fleet_name, std::move(work));
  if (!removed) co_return fail(removed);
  co_return http::Response{.status = 204, .content_type = {}, .body = {}, .headers = {}};
}

asio::awaitable<Reply> Releases::schedule(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  auto policy =
      call.object({"type", "at", "window_minutes", "not_before", "deadline_hours", "now", "reason"});
  if (!policy) co_return fail(policy);
  auto reason = call.reason(&*policy);
  if (!reason) co_return fail(reason);
  policy->erase("reason");
  const std::string version = call.value("version");
  const auto set =
      co_await schedule_release(services_, call, version, std::move(*policy), std::move(*reason));
  if (!set) co_return fail(set);
  co_return co_await shown(call, version, 200);
}

}  // namespace starling::hub
