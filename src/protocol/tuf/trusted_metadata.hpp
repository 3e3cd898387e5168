// Purpose: the client's workflow of the TUF specification 1.0.x, section 5, without its I/O: it is given
// bytes in the order of the workflow and says whether they are to be trusted. Owner: one refresh, and the
// searches for targets that follow it. Thread: one. Lifetime: one update cycle.
//
// Each check that fails leaves everything as it was. What it found is the error's code:
//   invalid_argument     the metadata cannot be read
//   unauthenticated      too few signatures
//   conflict             a version goes back, or is not the one that was promised (rollback, mix and match)
//   failed_precondition  expired (freeze), or a step of the workflow was left out
//   corrupted            length or hash are not the promised ones
//   not_found            the snapshot does not list the role
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "protocol/tuf/metadata.hpp"

namespace starling::protocol::tuf {

class TrustedMetadata {
 public:
  // 5.1, 5.2: the root that the device has from before, or from outside; it must be signed by its own keys.
  static Result<TrustedMetadata> from_root(std::string_view bytes, WallTime update_start);

  // 5.3.4 to 5.3.7: the root of the next version.
  Result<void> update_root(std::string_view bytes);
  // 5.3.11: whether the last update_root() took a key away from timestamp or snapshot. What those signed
  // before must then be forgotten, or a stolen key's high version numbers would shut out the right ones.
  bool online_keys_revoked() const { return online_keys_revoked_; }

  // 5.3.10, once there is no newer root.
  Result<void> check_root_is_fresh() const { return check_fresh("root.json", root_); }

  // The device's own copies, for comparing versions only; they may have expired. An error says only that the
  // copy is of no use any more.
  Result<void> load_timestamp(std::string_view bytes);
  Result<void> load_snapshot(std::string_view bytes);  // after update_timestamp()

  // 5.4.2 to 5.4.4. False: it is the one that is trusted already, whatever its bytes.
  Result<bool> update_timestamp(std::string_view bytes);

  // Whether the loaded snapshot is the one that the timestamp promises, and fresh.
  bool has_current_snapshot() const { return snapshot_is_current_; }
  Result<void> update_snapshot(std::string_view bytes);  // 5.5.2 to 5.5.6

  // 5.6.2 to 5.6.5, for the metadata of a targets role: `keys` and `signers` are its delegator's. The same
  // role may be delegated to twice, and is then checked against each delegator.
  Result<Targets> check_targets(std::string_view role, std::string_view bytes, const Keys& keys,
                                const Signers& signers) const;

  const Root& root() const { return root_; }
  Result<const FileMeta*> timestamp_says() const;                      // about the snapshot
  Result<const FileMeta*> snapshot_says(std::string_view role) const;  // about a targets role

 private:
  explicit TrustedMetadata(Root root, WallTime update_start)
      : root_(std::move(root)), update_start_(update_start) {}
  Result<void> check_fresh(std::string_view what, const Envelope& metadata) const;
  Result<void> check_no_rollback(const Snapshot& next) const;

  Root root_;
  WallTime update_start_;
  bool online_keys_revoked_ = false;
  std::optional<Timestamp> timestamp_;
  bool timestamp_is_current_ = false;
  std::optional<Snapshot> snapshot_;
  bool snapshot_is_current_ = false;
};

// Whether content has this length and all of these hashes. Errors: corrupted.
Result<void> check_content(std::string_view what, std::string_view content, const FileMeta& meta);

}  // namespace starling::protocol::tuf
