#include "hub/releases/chain_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/tuf/trusted_metadata.hpp"

namespace starling::hub {

namespace tuf = protocol::tuf;

namespace {

// Of signed metadata that has been parsed before.
JsonObject targets_in(const std::string& file) {
  const auto json = parse_json(file, {.max_bytes = tuf::max_targets_bytes, .max_depth = 32});
  return json ? json->at("signed").at("targets").as_object() : JsonObject{};
}

JsonObject to_json(const ReleaseTar& tar) {
  return tuf::target_json(tar.length, tar.sha256, tar.custom);
}

std::string type_of(const ReleaseTar& tar) {
  const Json* type = tar.custom.if_contains("type");
  return type != nullptr && type->is_string() ? std::string(type->get_string()) : std::string("scheduled");
}

// What holds for a release of which nothing else was said.
JsonObject usual_schedule(const std::string& version, const std::string& type) {
  JsonObject policy{{"version", version}, {"type", type}};
  if (type == "urgent") {
    policy["deadline_hours"] = 24;
  } else {
    policy["at"] = "02:00";
    policy["window_minutes"] = 120;
  }
  return policy;
}

bool names_alone(const tuf::Signers& signers, const std::string& key_id) {
  return signers.threshold == 1 && std::ranges::find(signers.key_ids, key_id) != signers.key_ids.end();
}

Result<std::string> sign_with(const JsonObject& content, const tuf::SigningKey& key) {
  return tuf::sign(content, std::span(&key, 1));
}

const tuf::DelegatedRole* schedule_in(const tuf::Targets& targets) {
  const auto& roles = targets.delegations.roles;
  return roles.size() == 1 && roles.front().name == schedule_role ? &roles.front() : nullptr;
}

}  // namespace

// A chain in the making.
struct ChainWriter::Work {
  const RepositoryView& present;
  WallTime now;
  std::chrono::sys_seconds today;  // now, in whole seconds
  ReleaseTars known;               // what targets may name: published, and drafts
  Next next;
  tuf::Root root;
  tuf::Targets targets;
  bool targets_changed = false, schedule_changed = false, snapshot_changed = false;

  bool is_due(const tuf::Envelope& metadata, std::chrono::days renewal) const {
    return metadata.expires < now + renewal || metadata.version < present.least_version;
  }
  std::int64_t after(const tuf::Envelope& metadata) const {
    return std::max(metadata.version + 1, present.least_version);
  }
  bool holds(std::string_view what, const tuf::Envelope& metadata, const tuf::Keys& keys,
             const tuf::Signers& signers) const {
    return check_signatures(what, metadata.signed_bytes, metadata.signatures, keys, signers).has_value();
  }
};

bool ChainWriter::signs_targets(const tuf::Root& root) const {
  return keys_.targets && names_alone(root.targets, keys_.targets->id);
}

// Whatever the hub could not sign for would stop every device a week later.
Result<void> ChainWriter::check_root(const tuf::Root& root) const {
  if (!root.consistent_snapshot) {
    return fail(ErrorCode::invalid_argument, "root.json must have consistent_snapshot: true");
  }
  const std::pair<const char*, bool> named[] = {
      {"snapshot", names_alone(root.snapshot, keys_.snapshot.id)},
      {"timestamp", names_alone(root.timestamp, keys_.timestamp.id)}};
  for (const auto& [role, is_named] : named) {
    if (is_named) continue;
    return fail(
        ErrorCode::failed_precondition,
        fmt::format("root.json does not name this hub's key for {}, with threshold 1: make it from what "
                    "the hub says now (starling keys init, starling keys rotate)",
                    role));
  }
  return {};
}

Result<void> ChainWriter::take_roots(Work& work, std::vector<std::string> roots) const {
  for (std::string& bytes : roots) {
    auto root = tuf::parse_root(bytes);
    if (!root) return fail(root, "root.json");
    work.root = std::move(*root);
    work.next.new_roots.emplace_back(work.root.version, bytes);
    work.next.chain.root_version = work.root.version;
    work.next.chain.root = std::move(bytes);
  }
  if (!work.present.begun() && roots.empty()) {
    return fail(ErrorCode::failed_precondition,
                "this fleet trusts nobody yet: make its keys and its root with starling keys init");
  }
  if (!work.present.begun() && work.next.new_roots.front().first != 1) {
    return fail(ErrorCode::conflict, "the first root.json must have version 1");
  }
  return roots.empty() ? Result<void>() : check_root(work.root);
}

Result<void> ChainWriter::check_targets(const Work& work, const tuf::Targets& targets) const {
  const tuf::DelegatedRole* schedule = schedule_in(targets);
  if (schedule == nullptr || !schedule->terminating || !names_alone(schedule->signers, keys_.schedule.id) ||
      schedule->paths != std::vector<std::string>{std::string(schedule_paths)}) {
    return fail(
        ErrorCode::failed_precondition,
        fmt::format("targets.json must delegate {} to this hub's key for {}, terminating, and nothing "
                    "else",
                    schedule_paths, schedule_role));
  }
  const auto tars = release_tars(targets);
  if (!tars) return fail(tars);
  for (const auto& [path, tar] : work.present.published) {
    const auto found = tars->find(path);
    if (found == tars->end() || found->second != tar) {
      return fail(
          ErrorCode::conflict,
          fmt::format("targets.json changes or drops {}, which is published: a release stays as it is",
                      path));
    }
  }
  for (const auto& [path, tar] : *tars) {
    const auto found = work.known.find(path);
    if (found == work.known.end() || found->second.sha256 != tar.sha256 ||
        found->second.length != tar.length) {
      return fail(
          ErrorCode::failed_precondition,
          fmt::format("targets.json names {}, of which the hub has no tar with that hash: upload it first",
                      path));
    }
  }
  return {};
}

Result<void> ChainWriter::write_targets(Work& work, const ReleaseTars& releases) const {
  JsonObject all = targets_in(work.present.chain.targets);
  for (const auto& [path, tar] : releases)
    all[path] = to_json(tar);
  const tuf::Delegation schedule{
      std::string(schedule_role), {{keys_.schedule.public_json()}, 1}, {std::string(schedule_paths)}, true};
  const JsonObject content = tuf::targets_content(work.after(work.present.targets), work.today + targets_life,
                                                  std::move(all), std::span(&schedule, 1));
  auto file = sign_with(content, *keys_.targets);
  if (!file) return fail(file);
  if (file->size() > tuf::max_targets_bytes) {
    return fail(ErrorCode::too_large, "targets.json would be larger than devices take: too many releases");
  }
  work.next.chain.targets = std::move(*file);
  return {};
}

Result<void> ChainWriter::take_targets(Work& work, std::optional<std::string> targets,
                                       const ReleaseTars& releases) const {
  const tuf::Targets& before = work.present.targets;
  if (targets) {
    work.next.chain.targets = std::move(*targets);
  } else {
    const bool holds =
        work.present.begun() && work.holds("targets", before, work.root.keys, work.root.targets);
    const bool due = !holds || work.is_due(before, targets_renewal) || schedule_in(before) == nullptr ||
                     !names_alone(schedule_in(before)->signers, keys_.schedule.id);
    const bool can = signs_targets(work.root);
    if (!releases.empty() && !can) {
      return fail(ErrorCode::failed_precondition,
                  "this hub does not hold the key for targets: sign the release with starling release sign");
    }
    if (!can && !holds) {
      return fail(ErrorCode::failed_precondition,
                  "with this root.json a new targets.json is needed, signed by the keys that it names");
    }
    if (releases.empty() && !(can && due)) return {};
    if (auto written = write_targets(work, releases); !written) return written;
  }
  auto read = tuf::parse_targets(work.next.chain.targets);
  if (!read) return fail(read, "targets.json");
  if (read->version != work.after(before)) {
    return fail(
        ErrorCode::conflict,
        fmt::format("targets.json has version {} instead of {}: take what the hub has now and sign that",
                    read->version, work.after(before)));
  }
  if (auto checked = check_targets(work, *read); !checked) return checked;
  work.targets = std::move(*read);
  work.targets_changed = true;
  return {};
}

Result<void> ChainWriter::write_schedule(Work& work, std::map<std::string, JsonObject> schedules) const {
  const tuf::Targets& before = work.present.schedule;
  JsonObject all = targets_in(work.present.chain.schedule);
  const auto tars = release_tars(work.targets);
  if (!tars) return fail(tars);
  for (const auto& [path, tar] : *tars) {
    const auto name = parse_tar_path(path);
    if (!name || all.contains(schedule_path(name->version))) continue;
    schedules.try_emplace(name->version, usual_schedule(name->version, type_of(tar)));
  }
  for (const auto& [version, policy] : schedules) {
    std::string text = boost::json::serialize(policy);
    std::string hash = sha256(text).hex();
    all[schedule_path(version)] = tuf::target_json(text.size(), hash);
    work.next.contents.emplace(std::move(hash), std::move(text));
  }
  const tuf::DelegatedRole* role = schedule_in(work.targets);
  const bool due = !work.present.begun() || work.is_due(before, snapshot_renewal) || role == nullptr ||
                   !work.holds(schedule_role, before, work.targets.delegations.keys, role->signers);
  if (schedules.empty() && !due) return {};
  auto file = sign_with(tuf::targets_content(work.after(before), work.today + snapshot_life, std::move(all)),
                        keys_.schedule);
  if (!file) return fail(file);
  work.next.chain.schedule = std::move(*file);
  work.schedule_changed = true;
  return {};
}

Result<void> ChainWriter::write_snapshot(Work& work) const {
  const tuf::Snapshot& before = work.present.snapshot;
  const bool due = work.targets_changed || work.schedule_changed || work.is_due(before, snapshot_renewal) ||
                   !work.holds("snapshot", before, work.root.keys, work.root.snapshot);
  if (!due) return {};
  const tuf::Targets& schedule = work.present.schedule;
  const std::int64_t schedule_version = work.schedule_changed ? work.after(schedule) : schedule.version;
  const std::map<std::string, JsonObject> files = {
      {"targets.json", tuf::file_meta(work.targets.version, work.next.chain.targets)},
      {fmt::format("{}.json", schedule_role), tuf::file_meta(schedule_version, work.next.chain.schedule)}};
  auto file =
      sign_with(tuf::snapshot_content(work.after(before), work.today + snapshot_life, files), keys_.snapshot);
  if (!file) return fail(file);
  work.next.chain.snapshot = std::move(*file);
  work.snapshot_changed = true;
  return {};
}

Result<void> ChainWriter::write_timestamp(Work& work) const {
  const tuf::Timestamp& before = work.present.timestamp;
  const bool due = work.snapshot_changed || work.is_due(before, timestamp_renewal) ||
                   !work.holds("timestamp", before, work.root.keys, work.root.timestamp);
  if (!due) return {};
  const tuf::Snapshot& snapshot = work.present.snapshot;
  const std::int64_t snapshot_version = work.snapshot_changed ? work.after(snapshot) : snapshot.version;
  auto file = sign_with(tuf::timestamp_content(work.after(before), work.today + timestamp_life,
                                               tuf::file_meta(snapshot_version, work.next.chain.snapshot)),
                        keys_.timestamp);
  if (!file) return fail(file);
  work.next.chain.timestamp = std::move(*file);
  work.next.changed = true;
  return {};
}

Result<ChainWriter::Next> ChainWriter::next(const RepositoryView& present, Wish wish, WallTime now) const {
  Work work{present,        now, std::chrono::floor<Seconds>(now), present.published, {}, present.root,
            present.targets};
  work.known.insert(present.drafts.begin(), present.drafts.end());
  work.next.chain = present.chain;
  std::vector<std::string> new_roots = wish.roots;
  if (auto taken = take_roots(work, std::move(wish.roots)); !taken) return fail(taken);
  if (auto taken = take_targets(work, std::move(wish.targets), wish.releases); !taken) return fail(taken);
  if (auto written = write_schedule(work, std::move(wish.schedules)); !written) return fail(written);
  if (auto written = write_snapshot(work); !written) return fail(written);
  if (auto written = write_timestamp(work); !written) return fail(written);
  work.next.changed = work.next.changed || !new_roots.empty();
  if (!work.next.changed) return std::move(work.next);
  if (auto checked = check_as_client(present.chain, new_roots, work.next.chain, now); !checked) {
    return fail(checked);
  }
  return std::move(work.next);
}

Result<void> check_as_client(const Chain& before, const std::vector<std::string>& new_roots,
                             const Chain& after, WallTime now) {
  const bool begins = before.root_version == 0;
  auto trusted = tuf::TrustedMetadata::from_root(begins ? new_roots.at(0) : before.root, now);
  if (!trusted) return fail(trusted);
  bool revoked = false;
  for (std::size_t i = begins ? 1 : 0; i < new_roots.size(); ++i) {
    if (auto updated = trusted->update_root(new_roots[i]); !updated) return updated;
    revoked = revoked || trusted->online_keys_revoked();
  }
  const bool remembers = !begins && !revoked;
  if (remembers) (void)trusted->load_timestamp(before.timestamp);
  if (auto updated = trusted->update_timestamp(after.timestamp); !updated) return fail(updated);
  if (remembers) (void)trusted->load_snapshot(before.snapshot);
  if (!trusted->has_current_snapshot()) {
    if (auto updated = trusted->update_snapshot(after.snapshot); !updated) return updated;
  }
  const tuf::Root& root = trusted->root();
  const auto targets = trusted->check_targets("targets", after.targets, root.keys, root.targets);
  if (!targets) return fail(targets);
  const tuf::DelegatedRole* schedule = schedule_in(*targets);
  if (schedule == nullptr) return fail(ErrorCode::invalid_argument, "targets.json delegates no schedule");
  const auto checked =
      trusted->check_targets(schedule_role, after.schedule, targets->delegations.keys, schedule->signers);
  return checked ? Result<void>() : fail(checked);
}

}  // namespace starling::hub
