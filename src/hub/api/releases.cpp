#include "hub/api/releases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hub/api/completion.hpp"
#include "hub/releases/release_log.hpp"
#include "protocol/release_metadata.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_uploads = 4;
constexpr std::size_t max_roots = 64;

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

JsonObject describe(const std::string& version, const Grouped& release, const RepositoryView& view) {
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

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

}  // namespace

void Releases::add_to(Router& router) {
  router.add(
      {http::Method::get, "/api/v1/releases", {Role::viewer}, {"limit", "after"}, [this](const Call& call) {
         return list(call);
       }});
  router.add({http::Method::get, "/api/v1/releases/repository", {Role::viewer}, {}, [this](Call& call) {
                return repository(call);
              }});
  router.add({http::Method::post, "/api/v1/releases/sign", {Role::admin}, {}, [this](Call& call) {
                return sign(call);
              }});
  router.add({http::Method::get, "/api/v1/releases/{version}", {Role::viewer}, {}, [this](const Call& call) {
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

Result<Repositories*> Releases::repositories() const {
  if (services_.repositories != nullptr) return services_.repositories;
  return fail(ErrorCode::unavailable, "this hub keeps no releases");
}

asio::awaitable<Result<void>> Releases::perform(std::string fleet, Repositories::Work work) {
  const auto kept = repositories();
  if (!kept) co_return fail(kept);
  const auto begin = [&](auto done) { (*kept)->perform(std::move(fleet), std::move(work), std::move(done)); };
  co_return co_await completion_of<Result<void>>(begin);
}

asio::awaitable<Result<void>> Releases::record(const Call& call) {
  auto plan = releases_plan(services_.repositories->view(call.fleet_name), call.actor());
  const auto change = co_await services_.log.append(call.fleet_name, std::move(plan));
  co_return change ? Result<void>() : fail(change);
}

Reply Releases::list(const Call& call) const {
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  const auto kept = repositories();
  if (!kept) return fail(kept);
  JsonArray items;
  const SharedView view = (*kept)->view(call.fleet_name);
  if (!view) return page_response(std::move(items), std::nullopt);
  const Versions versions = versions_in(*view);
  std::string last;
  auto at = page->after.empty() ? versions.begin() : versions.upper_bound(page->after);
  for (; at != versions.end() && items.size() < page->limit; ++at) {
    last = at->first;
    items.push_back(describe(at->first, at->second, *view));
  }
  return page_response(std::move(items), at == versions.end() ? std::nullopt : std::optional(last));
}

Reply Releases::shown(const Call& call, const std::string& version, int status) const {
  const auto kept = repositories();
  if (!kept) return fail(kept);
  if (const SharedView view = (*kept)->view(call.fleet_name)) {
    const Versions versions = versions_in(*view);
    if (const auto found = versions.find(version); found != versions.end()) {
      return http::json_response(describe(found->first, found->second, *view), status);
    }
  }
  return fail(ErrorCode::not_found, fmt::format("there is no release {}", version));
}

Reply Releases::get(const Call& call) const {
  return shown(call, call.value("version"), 200);
}

// What an operator needs to know for signing.
asio::awaitable<Reply> Releases::repository(Call& call) {
  Repositories::Work look = [](Repository&) { return Result<void>(); };
  const auto opened = co_await perform(call.fleet_name, std::move(look));  // makes the keys, the first time
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
                                           {"root", text_or_null(view->chain.root)},
                                           {"targets", text_or_null(view->chain.targets)},
                                           {"drafts", std::move(drafts)},
                                           {"alerts", std::move(alerts)}});
}

Result<std::shared_ptr<http::BodySink>> Releases::begin_upload(const Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) return fail(allowed);
  if (const auto metadata = metadata_of(call); !metadata) return fail(metadata);
  const auto kept = repositories();
  if (!kept) return fail(kept);
  std::erase_if(uploads_, [](const auto& upload) { return upload.expired(); });
  if (uploads_.size() >= max_uploads) {
    return fail(
        ErrorCode::unavailable,
        fmt::format("{} releases are being uploaded already; try again when one is done", max_uploads));
  }
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
  const auto added = co_await perform(call.fleet_name, std::move(work));
  if (!added) co_return fail(added);
  if (const auto recorded = co_await record(call); !recorded) co_return fail(recorded);
  co_return shown(call, version, 201);
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
  auto published = co_await perform(call.fleet_name, std::move(work));
  if (!published) {
    // What lacks signatures is the file, not the caller.
    Error error = std::move(published).error();
    if (error.code == ErrorCode::unauthenticated) error.code = ErrorCode::invalid_argument;
    co_return std::unexpected(std::move(error));
  }
  if (const auto recorded = co_await record(call); !recorded) co_return fail(recorded);
  co_return co_await repository(call);
}

asio::awaitable<Reply> Releases::remove(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  Repositories::Work work = [version = call.value("version")](Repository& repository) {
    return repository.delete_draft(version);
  };
  const auto removed = co_await perform(call.fleet_name, std::move(work));
  if (!removed) co_return fail(removed);
  co_return http::Response{.status = 204, .content_type = {}, .body = {}, .headers = {}};
}

asio::awaitable<Reply> Releases::schedule(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  auto policy = call.object({"type", "at", "window_minutes", "not_before", "deadline_hours", "now"});
  if (!policy) co_return fail(policy);
  const std::string& version = call.value("version");
  Repositories::Work work = [=, policy = std::move(*policy),
                             now = services_.clock.wall()](Repository& repository) {
    return repository.set_schedule(version, policy, now);
  };
  const auto set = co_await perform(call.fleet_name, std::move(work));
  if (!set) co_return fail(set);
  co_return shown(call, version, 200);
}

}  // namespace starling::hub
