#include "hub/releases/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <tuple>
#include <utility>

#include "base/files.hpp"

namespace starling::hub {

namespace fs = std::filesystem;
namespace tuf = protocol::tuf;

namespace {

constexpr std::size_t max_draft_bytes = 256u << 10;
constexpr std::size_t max_current_bytes = 64u << 10;
constexpr std::size_t max_schedule_bytes = 64u << 10;

struct Current {
  std::int64_t root = 0;
  std::string timestamp;
};

std::unexpected<Error> damaged(const fs::path& path, const Error& why) {
  return fail(ErrorCode::corrupted, fmt::format("{} is damaged: {}", path.string(), why.message));
}

Result<Current> read_current(const fs::path& path) {
  const auto text = read_file(path, max_current_bytes);
  if (!text && text.error().code == ErrorCode::not_found) return Current{};
  if (!text) return fail(text);
  const auto json = parse_json(*text);
  if (!json) return damaged(path, json.error());
  if (!json->is_object()) return damaged(path, {ErrorCode::corrupted, "it is no object", {}});
  const JsonReader reader(json->get_object());
  const auto root = reader.integer("root");
  if (!root) return damaged(path, root.error());
  auto timestamp = reader.string("timestamp", tuf::max_timestamp_bytes);
  if (!timestamp) return damaged(path, timestamp.error());
  return Current{*root, std::move(*timestamp)};
}

Result<ReleaseTar> read_draft(const fs::path& path) {
  const auto text = read_file(path, max_draft_bytes);
  if (!text) return fail(text);
  const auto json = parse_json(*text);
  if (!json) return damaged(path, json.error());
  if (!json->is_object()) return damaged(path, {ErrorCode::corrupted, "it is no object", {}});
  const JsonReader reader(json->get_object());
  const auto length = reader.integer("length");
  if (!length) return damaged(path, length.error());
  auto hash = reader.string("sha256", 64);
  if (!hash) return damaged(path, hash.error());
  const auto custom = reader.object("custom");
  if (!custom) return damaged(path, custom.error());
  return ReleaseTar{static_cast<std::uint64_t>(*length), std::move(*hash), **custom};
}

Result<std::int64_t> read_least_version(const fs::path& folder) {
  const fs::path path = folder / least_version_file;
  const auto text = read_file(path, 32);
  if (!text && text.error().code == ErrorCode::not_found) return 0;
  if (!text) return fail(text);
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), version);
  if (error == std::errc() && version > 0 && *end == '\n') return version;
  return damaged(path, {ErrorCode::corrupted, "it is no number", {}});
}

}  // namespace

fs::path Repository::metadata_file(const fs::path& folder, std::int64_t version, std::string_view role) {
  return folder / "metadata" / fmt::format("{}.{}.json", version, role);
}

fs::path Repository::target_file(const fs::path& folder, std::string_view sha256) {
  return folder / "targets" / sha256;
}

Repository::Repository(fs::path folder, Options options, OnlineKeys keys)
    : folder_(std::move(folder)),
      options_(std::move(options)),
      keys_(std::make_unique<const OnlineKeys>(std::move(keys))) {}

Result<Repository> Repository::open(fs::path folder, Options options) {
  if (!options.write) {
    options.write = [](const fs::path& path, std::string_view content) {
      return write_file_durably(path, content);
    };
  }
  for (const char* part : {"metadata", "targets", "drafts"}) {
    if (auto made = make_folders(folder / part, 0700); !made) return fail(made);
  }
  auto keys = OnlineKeys::load(folder / "keys", options.online_targets);
  if (!keys) return fail(keys);
  Repository repository(std::move(folder), std::move(options), std::move(*keys));
  auto chain = load_chain(repository.folder_);
  if (!chain) return fail(chain);
  auto view = read_chain(std::move(*chain));
  if (!view) return fail(view, repository.folder_.string());
  auto drafts = repository.load_drafts();
  if (!drafts) return fail(drafts);
  view->drafts = std::move(*drafts);
  auto least = read_least_version(repository.folder_);
  if (!least) return fail(least);
  view->least_version = *least;
  repository.load_schedules(*view);
  std::error_code ignored;
  std::erase_if(view->drafts, [&](const auto& draft) {
    return view->published.contains(draft.first) && fs::remove(repository.draft_file(draft.first), ignored);
  });
  repository.sweep(*view);
  repository.show(std::move(*view));
  return repository;
}

Result<Chain> Repository::load_chain(const fs::path& folder) {
  auto current = read_current(folder / "current.json");
  if (!current) return fail(current);
  Chain chain;
  if (current->root == 0) return chain;
  const auto load = [&folder](std::int64_t version, std::string_view role, std::size_t most,
                              std::string& into) -> Result<void> {
    auto bytes = read_file(metadata_file(folder, version, role), most);
    if (!bytes) return fail(bytes);
    into = std::move(*bytes);
    return {};
  };
  chain.root_version = current->root;
  chain.timestamp = std::move(current->timestamp);
  if (auto read = load(chain.root_version, "root", tuf::max_root_bytes, chain.root); !read) return fail(read);
  const auto timestamp = tuf::parse_timestamp(chain.timestamp);
  if (!timestamp) return damaged(folder / "current.json", timestamp.error());
  if (auto read = load(timestamp->snapshot.version, "snapshot", tuf::max_snapshot_bytes, chain.snapshot);
      !read)
    return fail(read);
  const auto snapshot = tuf::parse_snapshot(chain.snapshot);
  if (!snapshot) return damaged(folder / "metadata", snapshot.error());
  const std::pair<std::string_view, std::string*> listed[] = {{"targets", &chain.targets},
                                                              {schedule_role, &chain.schedule}};
  for (const auto& [role, into] : listed) {
    const auto meta = snapshot->files.find(fmt::format("{}.json", role));
    if (meta == snapshot->files.end()) {
      return damaged(folder / "metadata", {ErrorCode::corrupted, "the snapshot lacks a role", {}});
    }
    if (auto read = load(meta->second.version, role, tuf::max_targets_bytes, *into); !read) return fail(read);
  }
  return chain;
}

Result<ReleaseTars> Repository::load_drafts() const {
  ReleaseTars drafts;
  const auto files = list_folder(folder_ / "drafts");
  if (!files) return fail(files);
  for (const fs::path& path : *files) {
    if (path.extension() != ".json") continue;
    const std::string name = path.stem().string();
    const std::size_t dot = name.rfind('.');
    const std::string target =
        dot == std::string::npos ? name : tar_path(name.substr(0, dot), name.substr(dot + 1));
    if (auto known = parse_tar_path(target); !known) return damaged(path, known.error());
    auto draft = read_draft(path);
    if (!draft) return fail(draft);
    drafts.emplace(target, std::move(*draft));
  }
  return drafts;
}

// Those that the view before had need no reading. One that cannot be read is not shown; whoever fetches it is
// told.
void Repository::load_schedules(RepositoryView& view) const {
  for (const auto& [path, file] : view.schedule.targets) {
    const auto version = parse_schedule_path(path);
    if (!version || file.hashes.empty()) continue;
    const std::string& hash = file.hashes.front().hex;
    if (view_ != nullptr) {
      const auto before = view_->schedule.targets.find(path);
      const auto known = view_->schedules.find(*version);
      if (known != view_->schedules.end() && before != view_->schedule.targets.end() &&
          !before->second.hashes.empty() && before->second.hashes.front().hex == hash) {
        view.schedules.insert(*known);
        continue;
      }
    }
    const auto text = read_file(target_file(folder_, hash), max_schedule_bytes);
    const auto policy = text ? parse_json(*text) : Result<Json>(fail(text));
    if (policy && policy->is_object()) view.schedules.emplace(*version, policy->get_object());
  }
}

// Takes away the tars that nothing leads to.
void Repository::sweep(const RepositoryView& view) const {
  std::set<std::string> kept;
  for (const ReleaseTars* tars : {&view.published, &view.drafts}) {
    for (const auto& [path, tar] : *tars)
      kept.insert(tar.sha256);
  }
  for (const auto& [path, file] : view.schedule.targets) {
    for (const tuf::Hash& hash : file.hashes)
      kept.insert(hash.hex);
  }
  std::error_code ignored;
  for (const fs::path& path : list_folder(folder_ / "targets").value_or(std::vector<fs::path>())) {
    if (!kept.contains(path.filename().string())) fs::remove(path, ignored);
  }
}

fs::path Repository::draft_file(std::string_view path) const {
  const auto name = parse_tar_path(path);
  return folder_ / "drafts" / fmt::format("{}.{}.json", name->version, name->architecture);
}

void Repository::show(RepositoryView view) {
  view.online_keys = {{"snapshot", keys_->snapshot.public_json()},
                      {"timestamp", keys_->timestamp.public_json()},
                      {std::string(schedule_role), keys_->schedule.public_json()}};
  if (keys_->targets) view.online_keys.emplace("targets", keys_->targets->public_json());
  view.signs_targets = view.begun() && ChainWriter(*keys_).signs_targets(view.root);
  view_ = std::make_shared<const RepositoryView>(std::move(view));
}

Result<void> Repository::commit(const ChainWriter::Next& next) {
  const auto write = [this](const fs::path& path, std::string_view content) {
    return options_.write(path, content);
  };
  for (const auto& [hash, content] : next.contents) {
    if (auto written = write(target_file(folder_, hash), content); !written) return written;
  }
  for (const auto& [version, root] : next.new_roots) {
    if (auto written = write(metadata_file(folder_, version, "root"), root); !written) return written;
  }
  auto view = read_chain(next.chain);
  if (!view) return fail(view);
  load_schedules(*view);
  const Chain& before = view_->chain;
  const std::tuple<std::string_view, std::int64_t, const std::string*, const std::string*> files[] = {
      {"targets", view->targets.version, &before.targets, &next.chain.targets},
      {schedule_role, view->schedule.version, &before.schedule, &next.chain.schedule},
      {"snapshot", view->snapshot.version, &before.snapshot, &next.chain.snapshot}};
  for (const auto& [role, version, old, bytes] : files) {
    if (*bytes == *old) continue;
    if (auto written = write(metadata_file(folder_, version, role), *bytes); !written) return written;
  }
  const std::string current = boost::json::serialize(
      JsonObject{{"root", next.chain.root_version}, {"timestamp", next.chain.timestamp}});
  if (auto written = write(folder_ / "current.json", current); !written) return written;

  view->drafts = view_->drafts;
  view->least_version = view_->least_version;
  std::error_code ignored;  // a start sweeps what stays
  for (const auto& [path, tar] : view->published) {
    if (view->drafts.erase(path) > 0) fs::remove(draft_file(path), ignored);
  }
  show(std::move(*view));
  return {};
}

Result<void> Repository::step(ChainWriter::Wish wish, WallTime now) {
  const auto next = ChainWriter(*keys_).next(*view_, std::move(wish), now);
  if (!next) return fail(next);
  return next->changed ? commit(*next) : Result<void>();
}

// Drafts that came before this hub could sign them.
Result<void> Repository::publish_drafts(WallTime now) {
  if (!view_->signs_targets || view_->drafts.empty()) return {};
  ChainWriter::Wish wish;
  wish.releases = view_->drafts;
  return step(std::move(wish), now);
}

Result<void> Repository::renew(WallTime now) {
  if (!view_->begun()) return {};
  if (auto renewed = step({}, now); !renewed) return renewed;
  return publish_drafts(now);
}

Result<void> Repository::add(const std::string& version, const std::string& architecture, ReleaseTar tar,
                             const Keep& keep, WallTime now) {
  const std::string path = tar_path(version, architecture);
  if (auto known = parse_tar_path(path); !known) return fail(known);
  for (const auto& [tars, state] :
       {std::pair(&view_->published, "published"), std::pair(&view_->drafts, "a draft")}) {
    const auto found = tars->find(path);
    if (found == tars->end()) continue;
    if (found->second.sha256 == tar.sha256) return {};
    return fail(ErrorCode::already_exists,
                fmt::format("{} for {} is {} already, with other content: take the next version{}", version,
                            architecture, state, state[0] == 'a' ? ", or delete the draft first" : ""));
  }
  if (view_->drafts.size() >= max_drafts) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("{} drafts wait already: sign or delete some first", max_drafts));
  }
  if (auto kept = keep(target_file(folder_, tar.sha256)); !kept) return kept;
  const std::string text = boost::json::serialize(
      JsonObject{{"length", tar.length}, {"sha256", tar.sha256}, {"custom", tar.custom}});
  if (auto written = options_.write(draft_file(path), text); !written) return written;
  RepositoryView view = *view_;
  view.drafts.emplace(path, std::move(tar));
  show(std::move(view));
  return publish_drafts(now);
}

Result<void> Repository::delete_draft(std::string_view version) {
  RepositoryView view = *view_;
  const auto is_of_it = [&](const auto& tar) { return parse_tar_path(tar.first)->version == version; };
  std::size_t removed = 0;
  for (const auto& draft : view_->drafts) {
    if (!is_of_it(draft)) continue;
    std::error_code error;
    fs::remove(draft_file(draft.first), error);
    if (error) return fail(ErrorCode::io, fmt::format("removing the draft {}: {}", version, error.message()));
    view.drafts.erase(draft.first);
    ++removed;
  }
  if (removed == 0) {
    const bool published = std::ranges::any_of(view_->published, is_of_it);
    return published ? fail(ErrorCode::failed_precondition,
                            fmt::format("{} is published and stays; only drafts can be deleted", version))
                     : fail(ErrorCode::not_found, fmt::format("there is no draft of {}", version));
  }
  if (auto synced = fsync_folder(folder_ / "drafts"); !synced) return synced;
  show(std::move(view));
  sweep(*view_);
  return {};
}

Result<void> Repository::publish(std::vector<std::string> roots, std::optional<std::string> targets,
                                 WallTime now) {
  ChainWriter::Wish wish;
  wish.roots = std::move(roots);
  wish.targets = std::move(targets);
  if (auto done = step(std::move(wish), now); !done) return done;
  return publish_drafts(now);
}

Result<void> Repository::set_schedule(const std::string& version, JsonObject policy, WallTime now) {
  if (!view_->begun() || !view_->schedule.targets.contains(schedule_path(version))) {
    return fail(ErrorCode::not_found, fmt::format("no release {} is published", version));
  }
  policy["version"] = version;
  ChainWriter::Wish wish;
  wish.schedules.emplace(version, std::move(policy));
  return step(std::move(wish), now);
}

}  // namespace starling::hub
