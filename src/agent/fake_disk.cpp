#include "agent/fake_disk.hpp"

#include <algorithm>

namespace starling::agent {
namespace {

std::unexpected<Error> no_power() {
  return fail(ErrorCode::io, "the disk has no power");
}

std::unexpected<Error> not_there(std::string_view path) {
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
  for (const std::string& path : change.replaced)
    names.erase(path);
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
  const bool crashes = crashes_next();
  ++steps_;
  if (!crashes) return {};
  crash_now();
  return no_power();
}

std::unexpected<Error> FakeDisk::no_room(std::string_view path) {
  lacked_room_.emplace(path);
  return fail(ErrorCode::unavailable, std::string(path) + ": the disk is full");
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
  for (const auto& entry : durable_)
    lose_content(*entry.second);
  now_ = durable_;
  crashed_ = true;
}

void FakeDisk::lose_content(Node& node) {
  const std::size_t unsynced = std::exchange(node.unsynced_bytes, 0);
  if (unsynced == 0 || unsynced_ == Unsynced::kept) return;
  const std::size_t synced = node.content.size() - unsynced;
  if (unsynced_ == Unsynced::lost) return node.content.resize(synced);
  node.content.resize(synced + random_() % (unsynced + 1));
  const std::size_t left = node.content.size() - synced;
  if ((random_() & 1) != 0) {  // the size got out, the bytes did not
    const std::size_t zeros = random_() % (left + 1);
    node.content.replace(node.content.size() - zeros, zeros, zeros, '\0');
  }
}

void FakeDisk::put(std::string_view path, std::string_view content) {
  auto node = std::make_shared<Node>(Node{Kind::file, std::string(content), 0644});
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
  if (entry == now_.end() || entry->second->kind != Kind::file) return not_there(path);
  if (entry->second->content.size() > max_bytes) return fail(ErrorCode::too_large, std::string(path));
  return entry->second->content;
}

Result<std::string> FakeDisk::read_link(std::string_view path) {
  if (auto good = check(path); !good) return fail(good);
  const auto entry = now_.find(path);
  if (entry == now_.end() || entry->second->kind != Kind::link) return not_there(path);
  return entry->second->content;
}

Result<std::vector<std::string>> FakeDisk::list(std::string_view folder) {
  if (auto good = check(folder); !good) return fail(good);
  if (!folder.empty() && !now_.contains(folder)) return not_there(folder);
  std::vector<std::string> names;
  for (const auto& entry : now_) {
    if (folder_of(entry.first) == folder) {
      names.push_back(entry.first.substr(folder.empty() ? 0 : folder.size() + 1));
    }
  }
  return names;
}

Result<std::string> FakeDisk::read_part(std::string_view path, std::uint64_t offset, std::size_t max_bytes) {
  if (auto good = check(path); !good) return fail(good);
  const auto entry = now_.find(path);
  if (entry == now_.end() || entry->second->kind != Kind::file) return not_there(path);
  const std::string& content = entry->second->content;
  return offset >= content.size() ? std::string() : content.substr(offset, max_bytes);
}

Result<Disk::Status> FakeDisk::status(std::string_view path) {
  if (auto good = check(path); !good) return fail(good);
  const auto entry = now_.find(path);
  if (entry == now_.end()) return not_there(path);
  const Node& node = *entry->second;
  return Status{node.kind, node.mode, node.content.size()};
}

Result<std::uint64_t> FakeDisk::free_bytes() {
  if (auto good = check(""); !good) return fail(good);
  return is_full() ? 0 : free_bytes_;
}

void FakeDisk::put_node(std::string_view path, std::shared_ptr<Node> node) {
  record({std::string(folder_of(path)), "", std::string(path), {{std::string(path), std::move(node)}}, {}});
}

Result<void> FakeDisk::write_file(std::string_view path, std::string_view content, unsigned mode) {
  auto node = std::make_shared<Node>(Node{Kind::file, std::string(content), mode});
  if (crashes_next()) {  // the die decides whether even the name got out
    node->content = part_of(content);
    put_node(path, std::move(node));
    return begin_step(path);
  }
  if (auto begun = begin_step(path); !begun) return begun;
  const auto parent = folder_of(path);
  if (!parent.empty() && !now_.contains(parent)) return not_there(parent);
  const bool full = !has_room();
  if (full) node->content = part_of(content);
  if (const auto existing = now_.find(path); existing != now_.end()) {
    *existing->second = *node;  // in place: durable with its fsync, name unchanged
  } else {
    put_node(path, std::move(node));
  }
  return full ? Result<void>(no_room(path)) : Result<void>();
}

Result<void> FakeDisk::append(std::string_view path, std::string_view content, unsigned mode) {
  const bool torn = crashes_next();
  const auto parent = folder_of(path);
  if (!torn) {
    if (auto begun = begin_step(path); !begun) return begun;
    if (!parent.empty() && !now_.contains(parent)) return not_there(parent);
  }
  const bool full = !torn && !has_room();
  const std::string_view added = torn || full ? part_of(content) : content;
  if (!now_.contains(path)) put_node(path, std::make_shared<Node>(Node{Kind::file, "", mode}));
  Node& node = *now_.find(path)->second;
  node.content += added;
  node.unsynced_bytes += added.size();
  if (torn) return begin_step(path);
  return full ? Result<void>(no_room(path)) : Result<void>();
}

Result<void> FakeDisk::sync_file(std::string_view path) {
  if (auto begun = begin_step(path); !begun) return begun;
  const auto entry = now_.find(path);
  if (entry == now_.end()) return not_there(path);
  entry->second->unsynced_bytes = 0;
  return {};
}

Result<void> FakeDisk::make_folder(std::string_view path) {
  if (auto begun = begin_step(path); !begun) return begun;
  if (now_.contains(path)) return {};
  if (!has_room()) return no_room(path);
  put_node(path, std::make_shared<Node>(Node{Kind::folder, "", 0755}));
  return {};
}

Result<void> FakeDisk::make_link(std::string_view target, std::string_view path) {
  if (auto begun = begin_step(path); !begun) return begun;
  if (now_.contains(path)) return fail(ErrorCode::already_exists, std::string(path));
  if (!has_room()) return no_room(path);
  put_node(path, std::make_shared<Node>(Node{Kind::link, std::string(target), 0777}));
  return {};
}

// What was not synced inside of it stays so under the new name.
Result<void> FakeDisk::rename(std::string_view from, std::string_view to) {
  if (auto begun = begin_step(to); !begun) return begun;
  const Names moved = subtree(now_, from);
  if (moved.empty()) return not_there(from);
  if (!now_.contains(to) && !has_room()) return no_room(to);  // a further name in its folder
  const auto renamed = [&](const std::string& path) { return std::string(to) + path.substr(from.size()); };
  NameChange seen{std::string(folder_of(to)), std::string(from), std::string(to), {}, {}};
  for (const auto& names : {subtree(now_, to), subtree(durable_, to)})
    for (const auto& entry : names)
      seen.replaced.push_back(entry.first);
  NameChange synced = seen;
  for (const auto& [path, node] : moved)
    seen.nodes[renamed(path)] = node;
  synced.nodes[std::string(to)] = moved.begin()->second;
  for (const auto& [path, node] : subtree(durable_, from))
    synced.nodes[renamed(path)] = node;
  for (NameChange& change : unsynced_changes_) {
    if (change.folder != from && !below(change.folder, from)) continue;
    change.folder = renamed(change.folder);
    if (!change.removed.empty()) change.removed = renamed(change.removed);
    if (!change.added.empty()) change.added = renamed(change.added);
    Names nodes;
    for (const auto& [path, node] : change.nodes)
      nodes[renamed(path)] = node;
    change.nodes = std::move(nodes);
  }
  apply(now_, seen);
  unsynced_changes_.push_back(std::move(synced));
  return {};
}

Result<void> FakeDisk::remove_tree(std::string_view path) {
  if (crashes_next()) remove_partly(path);
  if (auto begun = begin_step(path); !begun) return begun;
  if (subtree(now_, path).empty()) return {};
  record({std::string(folder_of(path)), std::string(path), "", {}, {}});
  return {};
}

// The last names first, as whoever removes a tree has to.
void FakeDisk::remove_partly(std::string_view path) {
  const Names tree = subtree(now_, path);
  std::size_t removed = random_() % (tree.size() + 1);
  for (auto entry = tree.rbegin(); removed > 0; ++entry, --removed)
    record({std::string(folder_of(entry->first)), entry->first, "", {}, {}});
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
