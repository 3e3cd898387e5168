#include "agent/assets/asset_core.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "agent/assets/asset_path.hpp"
#include "agent/update/partial_file.hpp"

namespace starling::agent {

void AssetCore::want(const std::vector<const protocol::Assets*>& all, const DownloadPolicy& link) {
  All wanted;
  for (const protocol::Assets* assets : all) {
    for (const auto& [name, file] : *assets) {
      const std::string path = asset_path(name, file);
      const auto known = wanted_.find(path);
      if (known == wanted_.end()) {
        wanted.try_emplace(path, Wanted{name, file});
      } else {
        wanted.try_emplace(path, known->second);
      }
    }
  }
  wanted_ = std::move(wanted);
  for (auto& [path, each] : wanted_) {
    if (each.may_pass) each.next_try = clock_.steady();
  }
  if (check_ && !wanted_.contains(check_->path)) check_.reset();
  // Under another policy it goes on where it ended, or not.
  const bool other_link = std::exchange(link_, link) != link;
  if (!downloading_.empty() && (other_link || !wanted_.contains(downloading_))) {
    downloading_.clear();
    fetch_.stop();
  }
  collect_ = true;
}

AssetPort::Standing AssetCore::standing(const protocol::Assets& some) const {
  Standing standing{true, {}};
  for (const auto& [name, file] : some) {
    const auto found = wanted_.find(asset_path(name, file));
    if (found != wanted_.end() && found->second.whole) continue;
    standing.complete = false;
    if (found != wanted_.end() && standing.failure.empty()) standing.failure = found->second.failure;
  }
  return standing;
}

void AssetCore::tick() {
  if (std::exchange(collect_, false)) collect();
  if (!check_ && downloading_.empty()) begin_next();
  if (!check_) return;
  const std::string path = check_->path;
  const auto progress = check_some();
  if (progress && *progress == Progress::more) return;
  check_.reset();
  const auto found = wanted_.find(path);
  if (found == wanted_.end()) return;
  if (progress) return is_whole(path);
  if (!is_damage(progress.error()) && progress.error().code != ErrorCode::not_found) {
    return failed(path, progress.error());
  }
  if (progress.error().code == ErrorCode::corrupted) missed(found->second);
  fetch(path, found->second);
}

std::optional<SteadyTime> AssetCore::next_deadline() const {
  if (collect_ || check_) return clock_.steady();
  if (!downloading_.empty()) return std::nullopt;
  std::optional<SteadyTime> next;
  for (const auto& [path, each] : wanted_) {
    if (!each.whole && (!next || each.next_try < *next)) next = each.next_try;
  }
  return next;
}

void AssetCore::begin_next() {
  const SteadyTime now = clock_.steady();
  const auto next = std::ranges::find_if(
      wanted_, [now](const auto& entry) { return !entry.second.whole && entry.second.next_try <= now; });
  if (next != wanted_.end()) check_.emplace(Check{next->first});
}

// Errors: those of Disk, not_found, corrupted.
Result<Progress> AssetCore::check_some() {
  const protocol::AssetFile& file = wanted_.find(check_->path)->second.file;
  if (check_->read == 0) {
    const auto status = disk_.status(check_->path);
    if (!status) return fail(status);
    if (status->kind != Disk::Status::Kind::file || status->size != file.size) {
      return fail(ErrorCode::corrupted, check_->path + " has another size");
    }
  }
  const auto bytes = disk_.read_part(check_->path, check_->read, bytes_at_once);
  if (!bytes) return fail(bytes);
  if (bytes->empty()) return fail(ErrorCode::corrupted, check_->path + " has become shorter");
  check_->hasher.update(*bytes);
  check_->read += bytes->size();
  if (check_->read < file.size) return Progress::more;
  if (check_->read == file.size && check_->hasher.finish() == file.sha256.hex()) return Progress::done;
  return fail(ErrorCode::corrupted, check_->path + " does not have its hash");
}

void AssetCore::missed(const Wanted& wanted) {
  const auto comes = check_link(wanted);
  std::string message = fmt::format("the asset '{}' is damaged: {}", wanted.name,
                                    comes ? "it is fetched again" : comes.error().message);
  log_.warning(message);
  listener_.asset_damaged(std::move(message));
}

void AssetCore::fetch(const std::string& path, const Wanted& wanted) {
  auto ready = check_link(wanted);
  if (ready) ready = make_ready(path, wanted);
  if (!ready) return failed(path, ready.error());
  downloading_ = path;
  log_.info("an asset is fetched", {{"name", wanted.name}, {"size", wanted.file.size}});
  fetch_.download(path, wanted.file, link_.bytes_per_second);
}

Result<void> AssetCore::check_link(const Wanted& wanted) const {
  if (link_.allows_whole()) return {};
  return fail(ErrorCode::permission_denied,
              fmt::format("the link is metered ({}): it has {} bytes, which {} lets come",
                          DownloadPolicy::metered_key, wanted.file.size, DownloadPolicy::whole_key));
}

Result<void> AssetCore::make_ready(const std::string& path, const Wanted& wanted) {
  const auto part = disk_.status(path + std::string(PartialFile::ending));
  if (!part && part.error().code != ErrorCode::not_found) return fail(part);
  const std::uint64_t needed = wanted.file.size - (part ? std::min(part->size, wanted.file.size) : 0);
  const auto free = disk_.free_bytes();
  if (!free) return fail(free);
  if (*free < needed + reserve_bytes) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("it takes {} bytes and {} are kept free, of which {} are there", needed,
                            reserve_bytes, *free));
  }
  if (auto made = disk_.make_folder(assets_folder); !made) return made;
  return disk_.sync_folder("");
}

void AssetCore::downloaded(const std::string& path, const Result<void>& result) {
  if (downloading_ != path) return;
  downloading_.clear();
  if (!result) return failed(path, result.error());
  is_whole(path);
}

void AssetCore::is_whole(const std::string& path) {
  const auto found = wanted_.find(path);
  if (found == wanted_.end()) return;
  found->second = Wanted{found->second.name, found->second.file, true};
  listener_.assets_changed();
}

void AssetCore::failed(const std::string& path, const Error& error) {
  const auto found = wanted_.find(path);
  if (found == wanted_.end()) return;
  Wanted& wanted = found->second;
  const bool unknown = error.code == ErrorCode::not_found;
  wanted.failure = fmt::format("asset '{}': {}", wanted.name,
                               unknown ? "the hub does not have this file any more" : error.message);
  wanted.may_pass = error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out ||
                    error.code == ErrorCode::permission_denied;
  const int doublings = std::min(wanted.attempts++, 10);
  const Milliseconds longest = std::min(first_backoff * (1 << doublings), longest_backoff);
  const auto jitter =
      static_cast<Milliseconds::rep>(random_.below(static_cast<std::uint64_t>(longest.count() / 2)));
  wanted.next_try = clock_.steady() + longest - Milliseconds(jitter);
  log_.warning("an asset cannot be had", {{"name", wanted.name}, {"why", error.message}});
  listener_.assets_changed();
}

void AssetCore::collect() {
  const auto names = disk_.list(assets_folder);
  if (!names) return;
  bool removed = false;
  for (const std::string& name : *names) {
    std::string path = std::string(assets_folder) + "/" + name;
    std::string whole = path;
    if (whole.ends_with(PartialFile::ending)) whole.resize(whole.size() - PartialFile::ending.size());
    if (wanted_.contains(whole)) continue;
    removed = disk_.remove_tree(path).has_value() || removed;
  }
  // Should it fail, they are found again.
  if (removed) (void)disk_.sync_folder(assets_folder);
}

}  // namespace starling::agent
