#include "agent/fake_disk.hpp"

#include <algorithm>

namespace starling::agent {
namespace {

std::unexpected<Error> no_power() {
  return fail(ErrorCode::io, "the disk has no power");
}

std::unexpected<Error> missing(std::string_view path) {
  return fail(ErrorCode::not_found, std::string(path) + ": no such file");
}

bool below(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace

FakeDisk::Names FakeDisk::subtree(const Names& names, std::string_view path) {
  Names found;
  for (auto entry = names.lower_bound(path); entry != names.end() && entry->first.starts_with(path);
       ++entry) {
    if (entry->first == path || below(entry->first, path)) found.insert(*entry);
  }
  return found;
}

void FakeDisk::erase_subtree(Names& names, std::string_view path) {
  for (const auto& entry : subtree(names, path))
    names.erase(entry.first);
}

void FakeDisk::apply(Names& names, const NameChange& change) {
  if (!change.removed.empty()) erase_subtree(names, change.removed);
  if (change.added.empty()) return;
  if (!change.removed.empty()) erase_subtree(names, change.added);
  for (const auto& [path, node] : change.nodes)
    names[path] = node;
}

void FakeDisk::record(NameChange change) {
  apply(now_, change);
  unsynced_changes_.push_back(std::move(change));
}

Result<void> FakeDisk::check(std::string_view path) const {
  if (crashed_) return no_power();
  if (failing_ && failing_->first == path) return fail(failing_->second, failing_->first + ": made to fail");
  return {};
}

Result<void> FakeDisk::begin_step(std::string_view path) {
  if (auto good = check(path); !good) return good;
  ++steps_;
  if (crash_at_ && steps_ == *crash_at_) {
    crash_now();
    return no_power();
  }
  return {};
}

void FakeDisk::crash_now() {
  for (const NameChange& change : unsynced_changes_) {
    const bool keep = unsynced_ == Unsynced::kept || (unsynced_ == Unsynced::drawn && (random_() & 1) != 0);
    if (keep) apply(durable_, change);
  }
  unsynced_changes_.clear();
  // What was synced inside a folder that did not survive itself is gone with it. Parents sort before
  // children.
  for (auto entry = durable_.begin(); entry != durable_.end();) {
    const auto parent = folder_of(entry->first);
    entry = parent.empty() || durable_.contains(parent) ? std::next(entry) : durable_.erase(entry);
  }
  now_ = durable_;
  crashed_ = true;
}

void FakeDisk::put(std::string_view path, std::string_view content) {
  auto node = std::make_shared<Node>(Node{Kind::file, std::string(content)});
  now_[std::string(path)] = node;
  durable_[std::string(path)] = node;
}

std::optional<std::string> FakeDisk::content(std::string_view path) const {
  const auto entry = now_.find(path);
  if (entry == now_.end() || entry->second->kind != Kind::file) return std::nullopt;
  return entry->second->content;
}

Result<std::string> FakeDisk::read_file(std::string_view path, std::size_t max_bytes) {
  if (auto good = check(path); !good) return fail(good);
  const auto entry = now_.find(path);
  if (entry == now_.end() || entry->second->kind != Kind::file) return missing(path);
  if (entry->second->content.size() > max_bytes) return fail(ErrorCode::too_large, std::string(path));
  return entry->second->content;
}

Result<std::string> FakeDisk::read_link(std::string_view path) {
  if (auto good = check(path); !good) return fail(good);
  const auto entry = now_.find(path);
  if (entry == now_.end() || entry->second->kind != Kind::link) return missing(path);
  return entry->second->content;
}

Result<std::vector<std::string>> FakeDisk::list(std::string_view folder) {
  if (auto good = check(folder); !good) return fail(good);
  if (!folder.empty() && !now_.contains(folder)) return missing(folder);
  std::vector<std::string> names;
  for (const auto& entry : now_) {
    if (folder_of(entry.first) == folder) {
      names.push_back(entry.first.substr(folder.empty() ? 0 : folder.size() + 1));
    }
  }
  return names;
}

Result<void> FakeDisk::write_file(std::string_view path, std::string_view content, unsigned) {
  const bool torn = !crashed_ && crash_at_ && steps_ + 1 == *crash_at_;
  auto node = std::make_shared<Node>();
  node->content = torn ? content.substr(0, random_() % (content.size() + 1)) : content;
  if (torn) {  // the die decides whether even the name got out
    record({std::string(folder_of(path)), "", std::string(path), {{std::string(path), node}}});
    return begin_step(path);
  }
  if (auto begun = begin_step(path); !begun) return begun;
  const auto parent = folder_of(path);
  if (!parent.empty() && !now_.contains(parent)) return missing(parent);
  if (const auto existing = now_.find(path); existing != now_.end()) {
    existing->second->content = std::move(node->content);  // in place: durable with its fsync, name unchanged
    return {};
  }
  record({std::string(parent), "", std::string(path), {{std::string(path), node}}});
  return {};
}

Result<void> FakeDisk::make_folder(std::string_view path) {
  if (auto begun = begin_step(path); !begun) return begun;
  if (now_.contains(path)) return {};
  auto node = std::make_shared<Node>(Node{Kind::folder, ""});
  record({std::string(folder_of(path)), "", std::string(path), {{std::string(path), node}}});
  return {};
}

Result<void> FakeDisk::make_link(std::string_view target, std::string_view path) {
  if (auto begun = begin_step(path); !begun) return begun;
  if (now_.contains(path)) return fail(ErrorCode::already_exists, std::string(path));
  auto node = std::make_shared<Node>(Node{Kind::link, std::string(target)});
  record({std::string(folder_of(path)), "", std::string(path), {{std::string(path), node}}});
  return {};
}

Result<void> FakeDisk::rename(std::string_view from, std::string_view to) {
  if (auto begun = begin_step(to); !begun) return begun;
  const Names moved = subtree(now_, from);
  if (moved.empty()) return missing(from);
  NameChange change{std::string(folder_of(to)), std::string(from), std::string(to), {}};
  for (const auto& [path, node] : moved)
    change.nodes[std::string(to) + path.substr(from.size())] = node;
  record(std::move(change));
  return {};
}

Result<void> FakeDisk::remove_tree(std::string_view path) {
  if (auto begun = begin_step(path); !begun) return begun;
  if (subtree(now_, path).empty()) return {};
  record({std::string(folder_of(path)), std::string(path), "", {}});
  return {};
}

Result<void> FakeDisk::sync_folder(std::string_view path) {
  if (auto begun = begin_step(path); !begun) return begun;
  for (const NameChange& change : unsynced_changes_) {
    if (change.folder == path) apply(durable_, change);
  }
  std::erase_if(unsynced_changes_, [&](const NameChange& change) { return change.folder == path; });
  return {};
}

}  // namespace starling::agent
