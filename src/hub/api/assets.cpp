#include "hub/api/assets.hpp"

#include <fmt/format.h>

#include "base/http/file_response.hpp"
#include "hub/api/completion.hpp"
#include "hub/settings/assets.hpp"

namespace starling::hub {

namespace {

JsonObject shown(const Asset& asset, const AssetUses& uses) {
  JsonArray used_by;
  if (const auto found = uses.find(asset.name); found != uses.end()) {
    for (const AssetUse& use : found->second)
      used_by.emplace_back(to_json(use));
  }
  JsonObject json{{"name", asset.name}};
  const Json file = asset.to_json();
  for (const auto& [field, value] : file.get_object())
    json[field] = value;
  json["used_by"] = std::move(used_by);
  return json;
}

Result<std::shared_ptr<const Asset>> asset_in(const Call& call) {
  const auto found = call.fleet->assets().find(call.value("name"));
  if (found != call.fleet->assets().end()) return found->second;
  return fail(ErrorCode::not_found, fmt::format("no asset is called '{}'", call.value("name")));
}

Result<PlannedWrite> plan_put(const FleetState& head, const Asset& asset) {
  PlannedWrite write;
  Edit edit = head.edit(EntityKind::asset, asset.name, asset.to_json());
  write.status = edit.before.is_null() ? 201 : 200;
  write.answer["asset"] = shown(asset, asset_uses(head));
  if (edit.before != edit.after) write.edits.push_back(std::move(edit));
  return write;
}

Result<PlannedWrite> removal_of_asset(const FleetState& head, const std::string& name) {
  auto edits = plan_asset_removal(head, name);
  if (!edits) return fail(edits);
  PlannedWrite write;
  write.edits = std::move(*edits);
  write.answer = write_answer(write.edits, {}, 0);
  return write;
}

}  // namespace

void Assets::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/assets",
              {Role::viewer},
              {"limit", "after"},
              [this](const Call& call) { return list(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/assets/{name}",
              {Role::viewer},
              {},
              [this](const Call& call) { return get(call); },
              true,
              true});
  router.add({http::Method::put,
              "/api/v1/assets/{name}",
              {Role::operator_},
              {"sha256", "reason"},
              [this](Call& call) { return put(call); },
              true,
              false,
              [this](const Call& call) { return begin_upload(call); }});
  router.add({http::Method::del, "/api/v1/assets/{name}", {Role::operator_}, {"reason"}, [this](Call& call) {
                return remove(call);
              }});
  router.add(
      {http::Method::get, "/api/v1/assets/{name}/content", {Role::viewer}, {}, [this](const Call& call) {
         return content(call);
       }});
  router.add(
      {http::Method::get, "/api/v1/asset-files/{sha256}", {Role::viewer, true}, {}, [this](const Call& call) {
         return file(call);
       }});
}

Result<AssetFiles*> Assets::files() const {
  if (services_.assets != nullptr) return services_.assets;
  return fail(ErrorCode::unavailable, "this hub keeps no assets");
}

Reply Assets::list(const Call& call) const {
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  const AssetUses uses = asset_uses(*call.fleet);
  const auto& assets = call.fleet->assets();
  JsonArray items;
  std::string last;
  auto at = assets.upper_bound(page->after);
  for (; at != assets.end() && items.size() < page->limit; ++at) {
    items.push_back(shown(*at->second, uses));
    last = at->first;
  }
  return page_response(std::move(items), at == assets.end() ? std::nullopt : std::optional(last));
}

Reply Assets::get(const Call& call) const {
  const auto asset = asset_in(call);
  if (!asset) return fail(asset);
  return http::json_response(shown(**asset, asset_uses(*call.fleet)));
}

Reply Assets::content(const Call& call) const {
  const auto asset = asset_in(call);
  if (!asset) return fail(asset);
  return send(call, (*asset)->file.sha256);
}

// Also of a name that has another content by now: who has the document of a moment ago gets its files.
Reply Assets::file(const Call& call) const {
  const auto hash = Digest::from_hex(call.value("sha256"));
  if (!hash || !*hash) {
    return fail(ErrorCode::invalid_argument,
                "an asset's file is called by its SHA-256 in hexadecimal digits");
  }
  return send(call, *hash);
}

Reply Assets::send(const Call& call, const Digest& file) const {
  const auto kept = files();
  if (!kept) return fail(kept);
  if (!(*kept)->has(call.fleet_name, file)) {
    return fail(ErrorCode::not_found,
                fmt::format("the hub has no file with the SHA-256 {}; upload the asset again", file.hex()));
  }
  const http::FileFacts facts{"application/octet-stream", fmt::format("\"{}\"", file.hex()),
                              "private, no-cache"};
  return http::file_response(call.request, (*kept)->path(call.fleet_name, file), facts);
}

Result<std::shared_ptr<http::BodySink>> Assets::begin_upload(const Call& call) const {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) return fail(allowed);
  if (auto named = protocol::check_asset_name(call.value("name")); !named) return fail(named);
  const auto kept = files();
  if (!kept) return fail(kept);
  auto upload = (*kept)->begin(call.fleet_name, std::string(call.query("sha256").value_or("")),
                               announced_bytes(call.request));
  if (!upload) return fail(upload);
  return *upload;
}

// The file is there before its name is: whoever hears of the change can have it.
asio::awaitable<Reply> Assets::put(Call& call) {
  const auto upload = std::dynamic_pointer_cast<Upload>(call.request.sink);
  if (!upload) co_return fail(ErrorCode::invalid_argument, "the request's body must be the asset");
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  if (auto whole = upload->finish(); !whole) co_return fail(whole);
  const auto hash = Digest::from_hex(upload->sha256());
  if (!hash) co_return fail(hash);
  const AssetFiles::Hold hold = services_.assets->hold(call.fleet_name, *hash);
  const auto begin = [&](auto done) { services_.assets->keep(call.fleet_name, upload, std::move(done)); };
  const auto kept = co_await completion_of<Result<void>>(begin);
  if (!kept) co_return fail(kept);
  Asset asset{call.value("name"), {*hash, upload->length()}};
  Writer::Write write{call.fleet_name, "asset.put", *reason,
                      [asset = std::move(asset)](const FleetState& head) { return plan_put(head, asset); }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Assets::remove(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  Writer::Write write{
      call.fleet_name, "asset.remove", *reason,
      [name = call.value("name")](const FleetState& head) { return removal_of_asset(head, name); }};
  co_return co_await services_.writer.write(call, std::move(write));
}

}  // namespace starling::hub
