#include "protocol/tuf/trusted_metadata.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace starling::protocol::tuf {
namespace {

// Whether a key that could sign before no longer can.
bool revokes(const Root& before, const Signers& former, const Root& after, const Signers& present) {
  const auto can_sign = [&](const Key& key) {
    return std::any_of(present.key_ids.begin(), present.key_ids.end(), [&](const std::string& id) {
      const auto found = after.keys.find(id);
      return found != after.keys.end() && found->second == key;
    });
  };
  return std::any_of(former.key_ids.begin(), former.key_ids.end(), [&](const std::string& id) {
    const auto found = before.keys.find(id);
    return found != before.keys.end() && !can_sign(found->second);
  });
}

std::unexpected<Error> went_back(std::string_view what, std::int64_t from, std::int64_t to) {
  return fail(ErrorCode::conflict,
              fmt::format("{} goes back from version {} to {}: a rollback; is the repository an old copy?",
                          what, from, to));
}

}  // namespace

Result<void> check_content(std::string_view what, std::string_view content, const FileMeta& meta) {
  if (meta.length && content.size() != static_cast<std::uint64_t>(*meta.length)) {
    return fail(ErrorCode::corrupted,
                fmt::format("{} has {} bytes instead of {}", what, content.size(), *meta.length));
  }
  for (const Hash& hash : meta.hashes) {
    Hasher hasher(hash.algorithm);
    hasher.update(content);
    if (hasher.finish() != hash.hex) {
      return fail(ErrorCode::corrupted, fmt::format("{} does not have the hash that was signed", what));
    }
  }
  return {};
}

Result<TrustedMetadata> TrustedMetadata::from_root(std::string_view bytes, WallTime update_start) {
  Result<Root> root = parse_root(bytes);
  if (!root) return fail(root, "the trusted root");
  const auto is_signed =
      check_signatures("the trusted root", root->signed_bytes, root->signatures, root->keys, root->root);
  if (!is_signed) return fail(is_signed);
  return TrustedMetadata(std::move(*root), update_start);
}

Result<void> TrustedMetadata::update_root(std::string_view bytes) {
  if (timestamp_) return fail(ErrorCode::failed_precondition, "a new root comes before the timestamp");
  Result<Root> next = parse_root(bytes);
  if (!next) return fail(next, "root.json");
  for (const Root* judge : {&root_, &*next}) {
    const char* what =
        judge == &root_ ? "root.json, by the keys of the root before it," : "root.json, by its own keys,";
    const auto is_signed =
        check_signatures(what, next->signed_bytes, next->signatures, judge->keys, judge->root);
    if (!is_signed) return is_signed;
  }
  if (next->version != root_.version + 1) {
    return fail(ErrorCode::conflict,
                fmt::format("root.json has version {} instead of {}", next->version, root_.version + 1));
  }
  online_keys_revoked_ = revokes(root_, root_.timestamp, *next, next->timestamp) ||
                         revokes(root_, root_.snapshot, *next, next->snapshot);
  root_ = std::move(*next);
  return {};
}

Result<void> TrustedMetadata::check_fresh(std::string_view what, const Envelope& metadata) const {
  if (metadata.expires > update_start_) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("{} expired at {:%Y-%m-%d %H:%M:%S} UTC: a freeze, or the clock is wrong; have it "
                          "signed anew, or set the clock",
                          what, metadata.expires));
}

Result<void> TrustedMetadata::load_timestamp(std::string_view bytes) {
  Result<Timestamp> kept = parse_timestamp(bytes);
  if (!kept) return fail(kept, "the kept timestamp.json");
  const auto is_signed = check_signatures("the kept timestamp.json", kept->signed_bytes, kept->signatures,
                                          root_.keys, root_.timestamp);
  if (!is_signed) return is_signed;
  timestamp_ = std::move(*kept);
  return {};
}

Result<bool> TrustedMetadata::update_timestamp(std::string_view bytes) {
  if (const auto fresh = check_root_is_fresh(); !fresh) return fail(fresh);
  Result<Timestamp> next = parse_timestamp(bytes);
  if (!next) return fail(next, "timestamp.json");
  const auto is_signed =
      check_signatures("timestamp.json", next->signed_bytes, next->signatures, root_.keys, root_.timestamp);
  if (!is_signed) return fail(is_signed);
  const bool is_new = !timestamp_ || next->version != timestamp_->version;
  if (timestamp_ && next->version < timestamp_->version) {
    return went_back("timestamp.json", timestamp_->version, next->version);
  }
  if (is_new && timestamp_ && next->snapshot.version < timestamp_->snapshot.version) {
    return went_back("the snapshot that timestamp.json names", timestamp_->snapshot.version,
                     next->snapshot.version);
  }
  const auto fresh = check_fresh("timestamp.json", is_new ? *next : *timestamp_);
  if (!fresh) return fail(fresh);
  if (is_new) timestamp_ = std::move(*next);
  timestamp_is_current_ = true;
  return is_new;
}

Result<const FileMeta*> TrustedMetadata::timestamp_says() const {
  if (timestamp_is_current_) return &timestamp_->snapshot;
  return fail(ErrorCode::failed_precondition, "the timestamp comes before the snapshot");
}

Result<void> TrustedMetadata::load_snapshot(std::string_view bytes) {
  const Result<const FileMeta*> promised = timestamp_says();
  if (!promised) return fail(promised);
  Result<Snapshot> kept = parse_snapshot(bytes);
  if (!kept) return fail(kept, "the kept snapshot.json");
  const auto is_signed = check_signatures("the kept snapshot.json", kept->signed_bytes, kept->signatures,
                                          root_.keys, root_.snapshot);
  if (!is_signed) return is_signed;
  snapshot_is_current_ = kept->version == (*promised)->version &&
                         check_content("snapshot.json", bytes, **promised) &&
                         check_fresh("snapshot.json", *kept);
  snapshot_ = std::move(*kept);
  return {};
}

Result<void> TrustedMetadata::check_no_rollback(const Snapshot& next) const {
  if (!snapshot_) return {};
  for (const auto& [name, meta] : snapshot_->files) {
    const auto found = next.files.find(name);
    if (found == next.files.end()) {
      return fail(ErrorCode::conflict, fmt::format("snapshot.json no longer lists {}: a rollback", name));
    }
    if (found->second.version < meta.version) return went_back(name, meta.version, found->second.version);
  }
  return {};
}

Result<void> TrustedMetadata::update_snapshot(std::string_view bytes) {
  const Result<const FileMeta*> promised = timestamp_says();
  if (!promised) return fail(promised);
  if (const auto whole = check_content("snapshot.json", bytes, **promised); !whole) return whole;
  Result<Snapshot> next = parse_snapshot(bytes);
  if (!next) return fail(next, "snapshot.json");
  const auto is_signed =
      check_signatures("snapshot.json", next->signed_bytes, next->signatures, root_.keys, root_.snapshot);
  if (!is_signed) return is_signed;
  if (next->version != (*promised)->version) {
    return fail(ErrorCode::conflict, fmt::format("snapshot.json has version {}, but timestamp.json names {}",
                                                 next->version, (*promised)->version));
  }
  if (const auto held = check_no_rollback(*next); !held) return held;
  if (const auto fresh = check_fresh("snapshot.json", *next); !fresh) return fresh;
  snapshot_ = std::move(*next);
  snapshot_is_current_ = true;
  return {};
}

Result<const FileMeta*> TrustedMetadata::snapshot_says(std::string_view role) const {
  if (!snapshot_is_current_) {
    return fail(ErrorCode::failed_precondition, "the snapshot comes before the targets");
  }
  const auto found = snapshot_->files.find(fmt::format("{}.json", role));
  if (found != snapshot_->files.end()) return &found->second;
  return fail(ErrorCode::not_found, fmt::format("snapshot.json does not list {}.json", role));
}

Result<Targets> TrustedMetadata::check_targets(std::string_view role, std::string_view bytes,
                                               const Keys& keys, const Signers& signers) const {
  const Result<const FileMeta*> promised = snapshot_says(role);
  if (!promised) return fail(promised);
  const std::string name = fmt::format("{}.json", role);
  if (const auto whole = check_content(name, bytes, **promised); !whole) return fail(whole);
  Result<Targets> targets = parse_targets(bytes);
  if (!targets) return fail(targets, name);
  const auto is_signed = check_signatures(name, targets->signed_bytes, targets->signatures, keys, signers);
  if (!is_signed) return fail(is_signed);
  if (targets->version != (*promised)->version) {
    return fail(ErrorCode::conflict, fmt::format("{} has version {}, but snapshot.json names {}", name,
                                                 targets->version, (*promised)->version));
  }
  if (const auto fresh = check_fresh(name, *targets); !fresh) return fail(fresh);
  return targets;
}

}  // namespace starling::protocol::tuf
