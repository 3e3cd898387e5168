#include "hub/releases/saved_releases.hpp"

#include <fmt/format.h>

#include <system_error>

#include "base/files.hpp"
#include "hub/file_copies.hpp"
#include "hub/releases/repository.hpp"

namespace starling::hub {

namespace fs = std::filesystem;
namespace {

constexpr std::string_view staged_name = "releases.restoring";
constexpr std::string_view current_name = "current.json";
constexpr std::size_t max_small_file = 256u << 10;
constexpr int attempts = 5;

// One fleet's repository, from one folder into another.
class RepositoryCopy {
 public:
  RepositoryCopy(fs::path from, fs::path to) : from_(std::move(from)), to_(std::move(to)) {}

  Result<void> make() const {
    for (const char* part : {"keys", "metadata", "targets", "drafts"}) {
      if (auto made = make_folders(to_ / part, 0700); !made) return made;
    }
    const auto keys = entries_of(from_ / "keys");
    if (!keys) return fail(keys);
    for (const fs::path& key : *keys) {
      if (auto copied = copy_durably(key, to_ / "keys" / key.filename()); !copied) return copied;
    }
    Result<void> copied = fail(ErrorCode::unavailable, "");
    for (int i = 0; i < attempts && !copied; ++i) {
      copied = copy_published();
      if (!copied && copied.error().code != ErrorCode::not_found) return copied;
    }
    if (!copied) return fail(ErrorCode::unavailable, "releases change too often to be copied; try again");
    if (auto done = copy_drafts(); !done) return done;
    if (auto done = copy_if_there(least_version_file); !done) return done;
    for (const char* part : {"keys", "metadata", "targets", "drafts", ""}) {
      if (auto synced = fsync_folder(to_ / part); !synced) return synced;
    }
    return {};
  }

 private:
  Result<void> copy_if_there(std::string_view name) const {
    std::error_code ignored;
    return fs::exists(from_ / name, ignored) ? copy_durably(from_ / name, to_ / name) : Result<void>();
  }

  // Errors: not_found: a file was swept, look again.
  Result<void> copy_published() const {
    auto chain = Repository::load_chain(from_);
    if (!chain) return fail(chain);
    if (chain->root_version == 0) return {};
    const auto view = read_chain(std::move(*chain));
    if (!view) return fail(view, from_.string());
    std::vector<std::pair<std::int64_t, std::string_view>> files{{view->snapshot.version, "snapshot"},
                                                                 {view->targets.version, "targets"},
                                                                 {view->schedule.version, schedule_role}};
    for (std::int64_t version = 1; version <= view->chain.root_version; ++version)
      files.emplace_back(version, "root");
    for (const auto& [version, role] : files) {
      const fs::path file = Repository::metadata_file({}, version, role);
      if (auto copied = copy_durably(from_ / file, to_ / file); !copied) return copied;
    }
    for (const auto& [path, tar] : view->published) {
      if (auto copied = copy_target(tar.sha256); !copied) return copied;
    }
    for (const auto& [path, file] : view->schedule.targets) {
      if (file.hashes.empty()) continue;
      if (auto copied = copy_target(file.hashes.front().hex); !copied) return copied;
    }
    // As it was read: the one in the folder may lead further by now.
    const std::string same = boost::json::serialize(
        JsonObject{{"root", view->chain.root_version}, {"timestamp", view->chain.timestamp}});
    return write_file_durably(to_ / current_name, same);
  }

  Result<void> copy_target(const std::string& sha256) const {
    return copy_checked(Repository::target_file(from_, sha256), Repository::target_file(to_, sha256), sha256);
  }

  // One that is published or deleted meanwhile is none any more.
  Result<void> copy_drafts() const {
    const auto drafts = entries_of(from_ / "drafts");
    if (!drafts) return fail(drafts);
    for (const fs::path& draft : *drafts) {
      const auto text = read_file(draft, max_small_file);
      const auto json = text ? parse_json(*text) : Result<Json>(fail(text));
      const Json* hash = json && json->is_object() ? json->get_object().if_contains("sha256") : nullptr;
      if (hash == nullptr || !hash->is_string()) continue;
      auto copied = copy_target(std::string(hash->get_string()));
      if (!copied && copied.error().code == ErrorCode::not_found) continue;
      if (copied) copied = write_file_durably(to_ / "drafts" / draft.filename(), *text);
      if (!copied) return copied;
    }
    return {};
  }

  fs::path from_, to_;
};

Result<void> copy_repository(const fs::path& from, const fs::path& to) {
  const bool replaced = from.filename().string().find(replaced_mark) != std::string::npos;
  const auto keys = list_folder(from / "keys");
  const bool none = !keys && keys.error().code == ErrorCode::not_found;  // uploads, and no repository yet
  return replaced || none ? Result<void>() : RepositoryCopy(from, to).make();
}

bool is_whole(const fs::path& repository) {
  auto chain = Repository::load_chain(repository);
  return chain && chain->root_version > 0 && read_chain(std::move(*chain));
}

}  // namespace

fs::path saved_releases_of(const fs::path& backup) {
  fs::path saved = backup;
  saved += ".releases";
  return saved;
}

Result<void> back_up_releases(const fs::path& data, const fs::path& target) {
  return copy_fleets_whole(data / "releases", target, copy_repository);
}

Result<void> stage_releases(const fs::path& saved, const fs::path& data) {
  drop_staged_releases(data);
  return copy_fleets_whole(saved, data / staged_name, copy_repository);
}

void drop_staged_releases(const fs::path& data) {
  std::error_code ignored;
  fs::remove_all(data / staged_name, ignored);
}

Result<std::vector<std::string>> put_staged_releases(const fs::path& data, WallTime now) {
  const fs::path releases = data / "releases";
  const fs::path staged = data / staged_name;
  const std::string least = fmt::format("{}\n", now.time_since_epoch().count());
  std::vector<std::string> taken;
  if (auto made = make_folders(releases, 0700); !made) return fail(made);
  const auto fleets = entries_of(staged);
  if (!fleets) return fail(fleets);
  for (const fs::path& fleet : *fleets) {
    const fs::path place = releases / fleet.filename();
    if (is_whole(place)) continue;
    if (auto marked = write_file_durably(fleet / least_version_file, least); !marked) return fail(marked);
    if (auto kept = keep_aside(place); !kept) return fail(kept);
    if (auto moved = rename_durably(fleet, place); !moved) return fail(moved);
    taken.push_back(fleet.filename().string());
  }
  std::error_code ignored;
  fs::remove_all(staged, ignored);
  return taken;
}

}  // namespace starling::hub
