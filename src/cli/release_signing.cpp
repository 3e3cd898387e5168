#include "cli/release_signing.hpp"

#include <fmt/format.h>

#include <set>

#include "base/files.hpp"
#include "cli/answer.hpp"

namespace starling::cli {

namespace tuf = protocol::tuf;

namespace {

constexpr std::chrono::days root_life{3650};
constexpr std::chrono::days targets_life{730};
constexpr const char* repository_path = "/api/v1/releases/repository";

std::optional<std::string> file_at(const JsonObject& answer, std::string_view name) {
  const std::string text = text_at(answer, {name});
  return text.empty() ? std::nullopt : std::optional(text);
}

Result<JsonObject> signed_part(std::string_view file) {
  const auto json = parse_json(file, {.max_bytes = tuf::max_targets_bytes, .max_depth = 32});
  if (!json) return fail(json);
  const JsonObject* object = json->if_object();
  const Json* content = object == nullptr ? nullptr : object->if_contains("signed");
  if (content != nullptr && content->is_object()) return content->get_object();
  return fail(ErrorCode::invalid_argument, "this is no TUF metadata: it has no \"signed\"");
}

tuf::RoleKeys role_of(const JsonObject& root, std::string_view name) {
  tuf::RoleKeys role;
  const JsonObject& signers = object_at(root, {"roles", name});
  role.threshold = number_at(signers, {"threshold"});
  for (const Json& id : array_at(signers, {"keyids"})) {
    const JsonObject& key =
        object_at(root, {"keys", id.is_string() ? std::string_view(id.get_string()) : ""});
    if (!key.empty()) role.keys.push_back(key);
  }
  return role;
}

// What is said of a version in a target path: "releases/v1.2.3/arm64.tar" gives v1.2.3.
std::string_view version_in(std::string_view path) {
  path.remove_prefix(std::min(path.find('/') + 1, path.size()));
  return path.substr(0, path.find('/'));
}

Result<JsonObject> add_drafts(JsonObject targets, const JsonObject& drafts,
                              const std::vector<std::string>& versions) {
  const std::set<std::string_view> wanted(versions.begin(), versions.end());
  std::set<std::string_view> found;
  for (const auto& [path, value] : drafts) {
    const JsonObject& draft = as_object(value);
    const std::string_view version = version_in(path);
    if (!wanted.contains(version)) continue;
    found.insert(version);
    targets[path] = tuf::target_json(static_cast<std::uint64_t>(number_at(draft, {"length"})),
                                     text_at(draft, {"sha256"}), object_at(draft, {"custom"}));
  }
  for (const std::string& version : versions) {
    if (!found.contains(version)) return fail(ErrorCode::not_found, "the hub has no draft of " + version);
  }
  return targets;
}

Result<std::string> keep_for_others(const SigningFolder& folder, std::string_view name,
                                    std::string_view file) {
  const std::filesystem::path next = folder.path() / "next";
  if (auto made = make_folders(next, 0700); !made) return fail(made);
  const std::filesystem::path path = next / name;
  if (auto written = write_file_durably(path, file); !written) return fail(written);
  return path.string();
}

// A root needs the signatures that the root before it demands, and its own.
Result<bool> root_is_complete(std::string_view file, const std::optional<std::string>& former) {
  const auto root = tuf::parse_root(file);
  if (!root) return fail(root);
  if (!count_signatures(*root, root->keys, root->root).enough()) return false;
  if (!former) return true;
  const auto before = tuf::parse_root(*former);
  if (!before) return fail(before);
  return count_signatures(*root, before->keys, before->root).enough();
}

Result<bool> targets_are_complete(std::string_view file, std::string_view root_file) {
  const auto root = tuf::parse_root(root_file);
  if (!root) return fail(root);
  const auto targets = tuf::parse_targets(file);
  if (!targets) return fail(targets);
  return count_signatures(*targets, root->keys, root->targets).enough();
}

}  // namespace

Result<Repository> ask_repository(Session& session) {
  const auto answer = session.api.get(repository_path);
  if (!answer) return fail(answer);
  Repository repository{file_at(*answer, "root"),
                        file_at(*answer, "targets"),
                        {},
                        flag_at(*answer, {"signs_targets"}),
                        number_at(*answer, {"least_version"}),
                        object_at(*answer, {"drafts"})};
  for (const auto& [role, key] : object_at(*answer, {"online_keys"}))
    repository.online_keys.emplace(role, as_object(key));
  for (const char* role : {"snapshot", "timestamp", "schedule"}) {
    if (!repository.online_keys.contains(role)) {
      return fail(ErrorCode::internal, fmt::format("the hub did not say its key for {}", role));
    }
  }
  return repository;
}

Result<RootWish> read_root(std::string_view file) {
  const auto parsed = tuf::parse_root(file);
  if (!parsed) return fail(parsed, "root.json");
  const auto content = signed_part(file);
  if (!content) return fail(content);
  return RootWish{{role_of(*content, "root"), role_of(*content, "targets"), role_of(*content, "snapshot"),
                   role_of(*content, "timestamp")},
                  parsed->version};
}

JsonObject root_of(const RootWish& wish, WallTime now) {
  return tuf::root_content(wish.version, std::chrono::floor<Seconds>(now) + root_life, wish.roles);
}

Result<JsonObject> targets_of(const Repository& repository, const std::optional<std::string>& trusted_root,
                              const std::vector<std::string>& versions, WallTime now) {
  std::int64_t version = 0;
  JsonObject present;
  // Versions only grow: a hub that lies must not use them up.
  const WallTime latest = now + std::chrono::days(1);  // clocks differ
  if (repository.least_version > latest.time_since_epoch().count()) {
    return fail(ErrorCode::failed_precondition,
                "the hub asks for a version that no restored backup needs: is its clock right, and yours?");
  }
  if (repository.targets) {
    if (!trusted_root) {
      return fail(
          ErrorCode::failed_precondition,
          "your folder of keys has no root.json, by which the hub's targets could be checked: copy it "
          "from whoever has made or rotated the keys");
    }
    const auto root = tuf::parse_root(*trusted_root);
    if (!root) return fail(root, "your root.json");
    const auto targets = tuf::parse_targets(*repository.targets);
    if (!targets) return fail(targets, "the hub's targets.json");
    const auto checked =
        tuf::check_signatures("the hub's targets.json, by your root.json,", targets->signed_bytes,
                              targets->signatures, root->keys, root->targets);
    if (!checked) return fail(checked);
    version = targets->version;
    const auto content = signed_part(*repository.targets);
    if (!content) return fail(content);
    present = object_at(*content, {"targets"});
  }
  auto targets = add_drafts(std::move(present), repository.drafts, versions);
  if (!targets) return fail(targets);
  const tuf::Delegation schedule{
      "schedule", {{repository.online_keys.at("schedule")}, 1}, {"schedules/*"}, true};
  return tuf::targets_content(std::max(version + 1, repository.least_version),
                              std::chrono::floor<Seconds>(now) + targets_life, std::move(*targets),
                              std::span(&schedule, 1));
}

Result<void> publish(Session& session, const std::optional<std::string>& root,
                     const std::optional<std::string>& targets) {
  JsonObject body;
  if (root) body["roots"] = JsonArray{Json(*root)};
  if (targets) body["targets"] = *targets;
  const auto answer = session.api.write(http::Method::post, "/api/v1/releases/sign", body);
  return answer ? Result<void>() : fail(answer);
}

Result<ExitCode> sign_and_publish(Session& session, SigningFolder& folder, const Publication& publication) {
  std::optional<std::string> root, targets;
  bool complete = true;
  if (publication.root) {
    auto file = tuf::sign(publication.root->content, publication.root->keys);
    if (!file) return fail(file);
    const auto whole = root_is_complete(*file, folder.root());
    if (!whole) return fail(whole);
    complete = *whole;
    root = std::move(*file);
  }
  if (publication.targets) {
    auto file = tuf::sign(publication.targets->content, publication.targets->keys);
    if (!file) return fail(file);
    if (!root && !folder.root()) return fail(ErrorCode::not_found, "your folder of keys has no root.json");
    const auto whole = targets_are_complete(*file, root ? *root : *folder.root());
    if (!whole) return fail(whole);
    complete = complete && *whole;
    targets = std::move(*file);
  }
  if (complete) {
    if (auto published = publish(session, root, targets); !published) return fail(published);
    if (!root) return ExitCode::done;
    if (auto kept = folder.keep_root(*root); !kept) return fail(kept);
    const auto parsed = tuf::parse_root(*root);
    if (!parsed) return fail(parsed);
    if (auto retired = folder.retire(*parsed); !retired) return fail(retired);
    return ExitCode::done;
  }
  std::string files, options;
  for (const auto& [name, file] : {std::pair("root", &root), std::pair("targets", &targets)}) {
    if (!*file) continue;
    const auto path = keep_for_others(folder, fmt::format("{}.json", name), **file);
    if (!path) return fail(path);
    files += " " + *path;
    options += fmt::format(" --{} {}", name, *path);
  }
  session.console.note(
      "signatures are missing; whoever has the other keys adds theirs, and then it is published:");
  session.console.line(fmt::format("  starling keys sign{} --keys THEIR_FOLDER", files));
  session.console.line(fmt::format("  starling release sign{} --keys {}", options, folder.path().string()));
  return ExitCode::unfinished;
}

}  // namespace starling::cli
