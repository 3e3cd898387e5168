// Purpose: the TUF repository of one fleet on disk: what is published, the tars, and drafts that wait to be
// signed. Blocking.
// Owner: Releases. Thread: its worker's, one at a time; view() is read there and handed on. Lifetime: the
// hub's.
//
//   keys/ROLE.key          online keys, mode 0600
//   current.json           {"root": N, "timestamp": "..."}: the one commit point
//   metadata/N.ROLE.json   root, targets, snapshot, schedule; never changed once current.json leads to it
//   targets/HASH           tars and schedules, by their SHA-256
//   drafts/VERSION.ARCHITECTURE.json
//   least_version          what came from a backup is signed anew with this version at least
//   zips/                  made of tars, for the documents' clients
//   uploads/               what is still coming; the hub empties it at its start
//
// A step writes what is new under names that nobody asks for yet, and then replaces current.json. Losing
// power in between leaves what was; files that nothing leads to are written over or swept at the next start.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "hub/releases/chain_writer.hpp"

namespace starling::hub {

inline constexpr std::string_view least_version_file = "least_version";

class Repository {
 public:
  using Write = std::function<Result<void>(const std::filesystem::path&, std::string_view content)>;
  struct Options {
    bool online_targets = false;
    Write write;  // instead of write_file_durably()
  };
  static constexpr std::size_t max_drafts = 64;

  // Errors of all: those of base/files, corrupted.
  static Result<Repository> open(std::filesystem::path folder, Options options);

  const SharedView& view() const { return view_; }

  // Signs anew what will expire. Errors: those of ChainWriter.
  Result<void> renew(WallTime now);
  // A new draft; `keep` puts its tar there. With online targets it is published at once. Errors:
  // already_exists (that version and architecture, with other bytes), failed_precondition (too many drafts),
  // those of `keep` and of ChainWriter.
  using Keep = std::function<Result<void>(const std::filesystem::path& as)>;
  Result<void> add(const std::string& version, const std::string& architecture, ReleaseTar tar,
                   const Keep& keep, WallTime now);
  // Errors: not_found, failed_precondition (it is published).
  Result<void> delete_draft(std::string_view version);
  // What operators have signed. Errors: those of ChainWriter.
  Result<void> publish(std::vector<std::string> roots, std::optional<std::string> targets, WallTime now);
  // When devices take a published release. Errors: not_found, those of ChainWriter.
  Result<void> set_schedule(const std::string& version, JsonObject policy, WallTime now);

  // What a repository's folder publishes, without changing anything there.
  static Result<Chain> load_chain(const std::filesystem::path& folder);
  static std::filesystem::path metadata_file(const std::filesystem::path& folder, std::int64_t version,
                                             std::string_view role);
  static std::filesystem::path target_file(const std::filesystem::path& folder, std::string_view sha256);

 private:
  Repository(std::filesystem::path folder, Options options, OnlineKeys keys);
  Result<ReleaseTars> load_drafts() const;
  void load_schedules(RepositoryView& view) const;
  void sweep(const RepositoryView& view) const;
  Result<void> publish_drafts(WallTime now);
  Result<void> step(ChainWriter::Wish wish, WallTime now);
  Result<void> commit(const ChainWriter::Next& next);
  std::filesystem::path draft_file(std::string_view path) const;
  void show(RepositoryView view);

  std::filesystem::path folder_;
  Options options_;
  std::unique_ptr<const OnlineKeys> keys_;  // the address stays when this moves
  SharedView view_;
};

}  // namespace starling::hub
