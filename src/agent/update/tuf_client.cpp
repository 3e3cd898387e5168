#include "agent/update/tuf_client.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "agent/update/file_download.hpp"
#include "base/http/message.hpp"

namespace starling::agent {

namespace tuf = protocol::tuf;
using boost::asio::awaitable;

namespace {

constexpr int max_roots_at_once = 256;

std::string at(std::string_view folder, std::string_view role) {
  return fmt::format("{}{}{}.json", folder, folder.empty() ? "" : "/", http::percent_encode(role));
}

// Its name in the repository; `version` if the name has one.
std::string file_name(std::string_view role, std::optional<std::int64_t> version) {
  const std::string name = http::percent_encode(role) + ".json";
  return version ? fmt::format("{}.{}", *version, name) : name;
}

// Not more than was promised, and never more than is taken at all.
std::size_t bytes_to_take(const tuf::FileMeta& promised, std::size_t most) {
  const auto length = static_cast<std::uint64_t>(promised.length.value_or(static_cast<std::int64_t>(most)));
  return static_cast<std::size_t>(std::min<std::uint64_t>(length, most));
}

// "a/b/c" with consistent snapshots: "a/b/<hash>.c", each part encoded.
std::string download_name(std::string_view path, const tuf::TargetFile& target, bool with_hash) {
  const std::size_t name_at = path.rfind('/') + 1;  // 0 if there is none
  std::string name;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < name_at; ++i) {
    if (path[i] != '/') continue;
    name += http::percent_encode(path.substr(begin, i - begin)) + '/';
    begin = i + 1;
  }
  if (with_hash && !target.hashes.empty()) name += target.hashes.front().hex + '.';
  return name + http::percent_encode(path.substr(name_at));
}

}  // namespace

Result<void> TufClient::trust(Disk& disk, std::string_view folder, std::string_view root) {
  if (const auto trusted = Trusted::from_root(root, WallTime()); !trusted) return fail(trusted);
  const std::string path = at(folder, "root");
  const Result<std::string> present = disk.read_file(path, tuf::max_root_bytes);
  if (present || present.error().code != ErrorCode::not_found) {
    return fail(ErrorCode::already_exists,
                fmt::format("{} is trusted already; to begin anew, remove the metadata first", path));
  }
  return replace_file(disk, path, root);
}

Result<std::string> TufClient::kept(std::string_view role, std::size_t max_bytes) {
  return disk_.read_file(at(folder_, role), max_bytes);
}

Result<void> TufClient::keep(std::string_view role, std::string_view bytes) {
  return replace_file(disk_, at(folder_, role), bytes);
}

// Without this order, losing power after the root would leave what the revoked keys have signed.
Result<void> TufClient::keep_root(const Trusted& trusted, std::string_view bytes) {
  if (trusted.online_keys_revoked()) {
    for (const char* role : {"snapshot", "timestamp"}) {
      if (auto removed = disk_.remove_tree(at(folder_, role)); !removed) return removed;
    }
    if (auto synced = disk_.sync_folder(folder_); !synced) return synced;
  }
  return keep("root", bytes);
}

awaitable<Result<void>> TufClient::update_root(Trusted& trusted) {
  for (int i = 0; i < max_roots_at_once; ++i) {
    std::string name = file_name("root", trusted.root().version + 1);
    const Result<std::string> bytes = co_await metadata_.fetch(std::move(name), tuf::max_root_bytes);
    if (!bytes && bytes.error().code == ErrorCode::not_found) break;
    if (!bytes) co_return fail(bytes);
    if (auto updated = trusted.update_root(*bytes); !updated) co_return updated;
    if (auto written = keep_root(trusted, *bytes); !written) co_return written;
  }
  co_return trusted.check_root_is_fresh();
}

awaitable<Result<void>> TufClient::update_timestamp(Trusted& trusted) {
  const Result<std::string> copy = kept("timestamp", tuf::max_timestamp_bytes);
  if (!copy && !is_damage(copy.error())) co_return fail(copy);  // it is what older versions are told by
  if (copy) (void)trusted.load_timestamp(*copy);                // one that is of no use is replaced
  std::string name = file_name("timestamp", {});
  const Result<std::string> bytes = co_await metadata_.fetch(std::move(name), tuf::max_timestamp_bytes);
  if (!bytes) co_return fail(bytes);
  const Result<bool> is_new = trusted.update_timestamp(*bytes);
  if (!is_new) co_return fail(is_new);
  co_return *is_new ? keep("timestamp", *bytes) : Result<void>();
}

awaitable<Result<void>> TufClient::update_snapshot(Trusted& trusted) {
  const Result<std::string> copy = kept("snapshot", tuf::max_snapshot_bytes);
  if (!copy && !is_damage(copy.error())) co_return fail(copy);
  if (copy) (void)trusted.load_snapshot(*copy);
  if (trusted.has_current_snapshot()) co_return Result<void>();
  const Result<const tuf::FileMeta*> promised = trusted.timestamp_says();
  if (!promised) co_return fail(promised);
  const bool versioned = trusted.root().consistent_snapshot;
  std::string name = file_name("snapshot", versioned ? std::optional((*promised)->version) : std::nullopt);
  const std::size_t most = bytes_to_take(**promised, tuf::max_snapshot_bytes);
  const Result<std::string> bytes = co_await metadata_.fetch(std::move(name), most);
  if (!bytes) co_return fail(bytes);
  if (auto updated = trusted.update_snapshot(*bytes); !updated) co_return updated;
  co_return keep("snapshot", *bytes);
}

awaitable<Result<tuf::Targets>> TufClient::targets_of(const Trusted& trusted,
                                                      const tuf::TargetSearch::Visit& visit) {
  const Result<const tuf::FileMeta*> promised = trusted.snapshot_says(visit.role);
  if (!promised) co_return fail(promised);
  if (const auto copy = kept(visit.role, tuf::max_targets_bytes)) {
    auto checked = trusted.check_targets(visit.role, *copy, *visit.keys, *visit.signers);
    if (checked) co_return checked;
  }
  const bool versioned = trusted.root().consistent_snapshot;
  std::string name = file_name(visit.role, versioned ? std::optional((*promised)->version) : std::nullopt);
  const std::size_t most = bytes_to_take(**promised, tuf::max_targets_bytes);
  const Result<std::string> bytes = co_await metadata_.fetch(std::move(name), most);
  if (!bytes) co_return fail(bytes);
  auto checked = trusted.check_targets(visit.role, *bytes, *visit.keys, *visit.signers);
  if (!checked) co_return checked;
  if (const auto written = keep(visit.role, *bytes); !written) co_return fail(written);
  co_return checked;
}

awaitable<Result<void>> TufClient::refresh(WallTime now) {
  trusted_.reset();
  const Result<std::string> root = kept("root", tuf::max_root_bytes);
  if (!root) co_return fail(root, "the trusted root, which has to be given once");
  Result<Trusted> trusted = Trusted::from_root(*root, now);
  if (!trusted) co_return fail(trusted);
  if (auto updated = co_await update_root(*trusted); !updated) co_return updated;
  if (auto updated = co_await update_timestamp(*trusted); !updated) co_return updated;
  if (auto updated = co_await update_snapshot(*trusted); !updated) co_return updated;
  const tuf::TargetSearch::Visit top{"targets", &trusted->root().keys, &trusted->root().targets};
  const Result<Targets> targets = co_await targets_of(*trusted, top);
  if (!targets) co_return fail(targets);
  trusted_ = std::move(*trusted);
  co_return Result<void>();
}

awaitable<Result<tuf::TargetFile>> TufClient::find(std::string target_path) {
  if (!trusted_) co_return fail(ErrorCode::failed_precondition, "targets are looked up after a refresh");
  Result<tuf::TargetSearch> search = tuf::TargetSearch::of(std::move(target_path));
  if (!search) co_return fail(search);
  Result<tuf::TargetSearch::Visit> visit =
      tuf::TargetSearch::Visit{"targets", &trusted_->root().keys, &trusted_->root().targets};
  while (visit) {
    Result<Targets> targets = co_await targets_of(*trusted_, *visit);
    if (!targets) co_return fail(targets, search->path());
    if (auto found = search->enter(std::move(*targets))) co_return std::move(*found);
    visit = search->next();
  }
  co_return fail(visit);
}

awaitable<Result<void>> TufClient::download(std::string target_path, const tuf::TargetFile& target,
                                            Fetcher& targets, Disk& disk, std::string to) {
  if (!trusted_) co_return fail(ErrorCode::failed_precondition, "targets are downloaded after a refresh");
  std::string name = download_name(target_path, target, trusted_->root().consistent_snapshot);
  co_return co_await download_file(targets, std::move(name), target, disk, std::move(to));
}

}  // namespace starling::agent
